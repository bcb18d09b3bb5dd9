//! scripts/bench --peers: an SMSC on the crate smpp34 that answers each submit_sm with an id of its own. Argument: port.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use async_trait::async_trait;
use smpp34::{
    bind_transceiver, bind_transceiver_resp, submit_sm, submit_sm_resp, SmppConnectionInformation, SmppServer,
    SmppServerListener,
};

#[derive(Default)]
struct Echo {
    ids: AtomicU64,
}

#[async_trait]
impl SmppServerListener for Echo {
    async fn on_bind_transceiver(
        &self,
        request: bind_transceiver,
        _: &SmppConnectionInformation,
        _: &String,
    ) -> bind_transceiver_resp {
        request.accept("smpp34".to_string(), Some(0x34))
    }

    async fn on_submit_sm(&self, request: submit_sm, _: &SmppConnectionInformation, _: &String) -> submit_sm_resp {
        request.accept(self.ids.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1).expect("a port").parse().expect("a port");
    let mut server = SmppServer::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port, Arc::new(Echo::default()));
    server.start().await;
    println!("listening");
    std::future::pending::<()>().await;
}
