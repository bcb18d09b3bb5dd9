// scripts/bench --peers: an SMSC on jsmpp that answers each submit_sm with an id of its own. Arguments: port, threads
// that process PDUs (pduProcessorDegree, for each session).

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;
import org.jsmpp.PDUStringException;
import org.jsmpp.SMPPConstant;
import org.jsmpp.bean.*;
import org.jsmpp.extra.ProcessRequestException;
import org.jsmpp.session.*;
import org.jsmpp.session.connection.ServerConnection;
import org.jsmpp.session.connection.socket.ServerSocketConnection;
import org.jsmpp.session.connection.socket.ServerSocketConnectionFactory;
import org.jsmpp.util.MessageId;

public class Echo implements ServerMessageReceiverListener {
    private static final OptionalParameter[] NO_TLVS = new OptionalParameter[0];
    private final AtomicLong ids = new AtomicLong();

    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[0]);
        SMPPServerSessionListener listener = new SMPPServerSessionListener(port, new Loopback());
        listener.setPduProcessorDegree(Integer.parseInt(args[1]));
        listener.setQueueCapacity(1000); // the largest window and more: beyond it, it answers ESME_RTHROTTLED
        listener.setMessageReceiverListener(new Echo());
        ExecutorService binds = Executors.newCachedThreadPool();
        System.out.println("listening");
        while (true) {
            SMPPServerSession session = listener.accept();
            binds.execute(() -> bind(session));
        }
    }

    private static class Loopback extends ServerSocketConnectionFactory {
        @Override
        public ServerConnection listen(int port) throws IOException {
            return new ServerSocketConnection(new ServerSocket(port, 50, InetAddress.getLoopbackAddress()));
        }
    }

    private static void bind(SMPPServerSession session) {
        try {
            session.waitForBind(10000).accept("jsmpp", InterfaceVersion.IF_34);
        } catch (Exception e) {
            session.close();
        }
    }

    @Override
    public SubmitSmResult onAcceptSubmitSm(SubmitSm sm, SMPPServerSession session) throws ProcessRequestException {
        try {
            return new SubmitSmResult(new MessageId(Long.toString(ids.incrementAndGet())), NO_TLVS);
        } catch (PDUStringException e) {
            throw new ProcessRequestException(e.getMessage(), SMPPConstant.STAT_ESME_RSYSERR);
        }
    }

    private static ProcessRequestException notServed() {
        return new ProcessRequestException("not served", SMPPConstant.STAT_ESME_RINVCMDID);
    }

    @Override
    public SubmitMultiResult onAcceptSubmitMulti(SubmitMulti sm, SMPPServerSession s) throws ProcessRequestException {
        throw notServed();
    }

    @Override
    public QuerySmResult onAcceptQuerySm(QuerySm sm, SMPPServerSession s) throws ProcessRequestException {
        throw notServed();
    }

    @Override
    public void onAcceptReplaceSm(ReplaceSm sm, SMPPServerSession s) throws ProcessRequestException {
        throw notServed();
    }

    @Override
    public void onAcceptCancelSm(CancelSm sm, SMPPServerSession s) throws ProcessRequestException {
        throw notServed();
    }

    @Override
    public BroadcastSmResult onAcceptBroadcastSm(BroadcastSm sm, SMPPServerSession s) throws ProcessRequestException {
        throw notServed();
    }

    @Override
    public void onAcceptCancelBroadcastSm(CancelBroadcastSm sm, SMPPServerSession s) throws ProcessRequestException {
        throw notServed();
    }

    @Override
    public QueryBroadcastSmResult onAcceptQueryBroadcastSm(QueryBroadcastSm sm, SMPPServerSession s)
            throws ProcessRequestException {
        throw notServed();
    }

    @Override
    public DataSmResult onAcceptDataSm(DataSm sm, Session s) throws ProcessRequestException {
        throw notServed();
    }
}
