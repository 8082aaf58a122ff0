package andiron.services;

import java.net.InetAddress;
import java.net.InetSocketAddress;

import org.apache.hadoop.hive.conf.HiveConf;
import org.apache.hadoop.hive.metastore.HiveMetaStore;
import org.apache.hadoop.hive.metastore.TSetIpAddressProcessor;
import org.apache.hadoop.hive.metastore.api.ThriftHiveMetastore;
import org.apache.thrift.protocol.TBinaryProtocol;
import org.apache.thrift.server.TServer;
import org.apache.thrift.server.TThreadPoolServer;
import org.apache.thrift.transport.TServerSocket;
import org.apache.thrift.transport.TTransportFactory;

/**
 * A Hive metastore of the version that Spark bundles, on the loopback interface: {@code Metastore <folder> <port>}. The database is in the folder
 * and survives restarts. Port 0 takes a free port; the line {@code port <number>} on standard output marks that the server listens.
 * Hive's own launcher listens on every interface.
 */
public final class Metastore {
    private Metastore() {}

    public static void main(String[] arguments) throws Exception {
        String folder = arguments[0];
        HiveConf settings = new HiveConf();
        settings.set("javax.jdo.option.ConnectionURL", "jdbc:derby:" + folder + "/metastore;create=true");
        settings.set("javax.jdo.option.ConnectionDriverName", "org.apache.derby.jdbc.EmbeddedDriver");
        settings.set("hive.metastore.warehouse.dir", "file:" + folder + "/warehouse");
        settings.set("datanucleus.schema.autoCreateAll", "true");
        settings.set("hive.metastore.schema.verification", "false");
        settings.set("hive.stats.autogather", "false");
        ThriftHiveMetastore.Iface handler = HiveMetaStore.newRetryingHMSHandler("andiron", settings, true);
        InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(arguments[1]));
        try (TServerSocket socket = new TServerSocket(address)) {
            TServer server = new TThreadPoolServer(new TThreadPoolServer.Args(socket)
                .processor(new TSetIpAddressProcessor<>(handler))
                .transportFactory(new TTransportFactory())
                .protocolFactory(new TBinaryProtocol.Factory())
                .minWorkerThreads(2)
                .maxWorkerThreads(64));
            System.out.println("port " + socket.getServerSocket().getLocalPort());
            server.serve();
        }
    }
}
