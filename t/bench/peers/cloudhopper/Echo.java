// scripts/bench --peers: an SMSC on Cloudhopper that answers each submit_sm with an id of its own. Argument: port.

import com.cloudhopper.smpp.SmppServerConfiguration;
import com.cloudhopper.smpp.SmppServerHandler;
import com.cloudhopper.smpp.SmppServerSession;
import com.cloudhopper.smpp.SmppSessionConfiguration;
import com.cloudhopper.smpp.impl.DefaultSmppServer;
import com.cloudhopper.smpp.impl.DefaultSmppSessionHandler;
import com.cloudhopper.smpp.pdu.BaseBind;
import com.cloudhopper.smpp.pdu.BaseBindResp;
import com.cloudhopper.smpp.pdu.PduRequest;
import com.cloudhopper.smpp.pdu.PduResponse;
import com.cloudhopper.smpp.pdu.SubmitSm;
import com.cloudhopper.smpp.pdu.SubmitSmResp;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;

public class Echo implements SmppServerHandler {
    private final AtomicLong ids = new AtomicLong();

    public static void main(String[] args) throws Exception {
        SmppServerConfiguration configuration = new SmppServerConfiguration();
        configuration.setHost("127.0.0.1");
        configuration.setPort(Integer.parseInt(args[0]));
        configuration.setMaxConnectionSize(100);
        configuration.setNonBlockingSocketsEnabled(true);
        configuration.setDefaultSessionCountersEnabled(false);
        configuration.setJmxEnabled(false);
        new DefaultSmppServer(configuration, new Echo(), Executors.newCachedThreadPool()).start();
        System.out.println("listening");
    }

    @Override
    public void sessionBindRequested(Long id, SmppSessionConfiguration configuration, BaseBind bind) {
        configuration.getLoggingOptions().setLogPdu(false);
        configuration.getLoggingOptions().setLogBytes(false);
    }

    @Override
    public void sessionCreated(Long id, SmppServerSession session, BaseBindResp response) {
        session.serverReady(new DefaultSmppSessionHandler() {
            @Override
            public PduResponse firePduRequestReceived(PduRequest request) {
                PduResponse response = request.createResponse();
                if (request instanceof SubmitSm) {
                    ((SubmitSmResp) response).setMessageId(Long.toString(ids.incrementAndGet()));
                }
                return response;
            }
        });
    }

    @Override
    public void sessionDestroyed(Long id, SmppServerSession session) {
        session.destroy();
    }
}
