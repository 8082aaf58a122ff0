package andiron.atlas;

import akka.actor.ActorRef;
import akka.actor.ActorSystem;
import akka.actor.ExtensionId;
import akka.actor.Props;
import akka.io.IO;
import com.netflix.atlas.akka.RequestHandlerActor;
import com.netflix.atlas.config.ConfigManager;
import com.netflix.atlas.core.db.Database;
import com.netflix.atlas.webapi.ApiSettings$;
import com.netflix.atlas.webapi.LocalDatabaseActor;
import com.netflix.atlas.webapi.LocalPublishActor;
import com.typesafe.config.ConfigFactory;
import java.io.File;
import java.net.InetSocketAddress;
import scala.Option;
import scala.collection.immutable.Nil$;
import scala.collection.immutable.Traversable;
import spray.can.Http;
import spray.can.Http$;

/**
 * An Atlas 1.4.4 in memory on the loopback interface: {@code AtlasServer <configuration> <port>}. The main class of Atlas listens on every
 * interface and needs Java 8.
 */
public final class AtlasServer {
  private AtlasServer() {}

  /** Starts the actors that the endpoints of the configuration need, and listens. */
  @SuppressWarnings({"unchecked", "rawtypes"})
  public static void main(String[] arguments) {
    ConfigManager.update(ConfigFactory.parseFile(new File(arguments[0])));
    Database database = ApiSettings$.MODULE$.newDbInstance();
    ActorSystem system = ActorSystem.create("atlas");
    system.actorOf(Props.create(LocalDatabaseActor.class, database), "db");
    system.actorOf(Props.create(LocalPublishActor.class, database), "publish");
    ActorRef handler = system.actorOf(Props.create(RequestHandlerActor.class), "request-handler");
    InetSocketAddress address = new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[1]));
    Http.Bind bind = new Http.Bind(handler, address, 128, (Traversable) Nil$.MODULE$, Option.empty(), null);
    IO.apply((ExtensionId) Http$.MODULE$, system).tell(bind, ActorRef.noSender());
  }
}
