import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryOneTime;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceInstanceBuilder;
import org.apache.curator.x.discovery.UriSpec;
import org.apache.curator.x.discovery.details.JsonInstanceSerializer;

/**
 * Registers instances with Curator's service discovery below a base path, as its arguments
 * CONNECT and BASE say, until its input ends. A line of its input is a command, which is
 * answered by "done":
 *
 * register KIND ID NAME HOST PORT [KEY=VALUE...]
 * unregister KIND ID NAME
 *
 * KIND is plain, disabled, secure, spring or dubbo. An ID that is registered is updated. The
 * only port of a secure one is for TLS.
 */
public final class Register {
  private final Map<String, Writer<?>> writers = new HashMap<>();

  private Register(CuratorFramework zookeeper, String base) throws Exception {
    writers.put("plain", new Writer<>(zookeeper, base, Void.class, true));
    writers.put("secure", new Writer<>(zookeeper, base, Void.class, true));
    writers.put("disabled", new Writer<>(zookeeper, base, Void.class, false));
    writers.put("spring", new Writer<>(zookeeper, base, org.springframework.cloud.zookeeper.discovery.ZookeeperInstance.class, true));
    writers.put("dubbo", new Writer<>(zookeeper, base, org.apache.dubbo.registry.zookeeper.ZookeeperInstance.class, true));
  }

  public static void main(String[] args) throws Exception {
    try (CuratorFramework zookeeper = CuratorFrameworkFactory.newClient(args[0], new RetryOneTime(500))) {
      zookeeper.start();
      Register register = new Register(zookeeper, args[1]);
      BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String line = commands.readLine(); line != null; line = commands.readLine()) {
        register.run(line.split(" "));
        System.out.println("done");
      }
    }
  }

  private void run(String[] words) throws Exception {
    Writer<?> writer = writers.get(words[1]);
    if (words[0].equals("unregister")) {
      writer.unregister(words[2]);
      return;
    }
    Map<String, String> metadata = new HashMap<>();
    for (String word : Arrays.copyOfRange(words, 6, words.length)) {
      String[] entry = word.split("=", 2);
      metadata.put(entry[0], entry[1]);
    }
    switch (words[1]) {
      case "spring":
        write(writer, words, new org.springframework.cloud.zookeeper.discovery.ZookeeperInstance("application-1", words[3], metadata));
        return;
      case "dubbo":
        write(writer, words, new org.apache.dubbo.registry.zookeeper.ZookeeperInstance(words[2], words[3], metadata));
        return;
      default:
        write(writer, words, null);
    }
  }

  @SuppressWarnings("unchecked")
  private static <T> void write(Writer<?> writer, String[] words, T payload) throws Exception {
    ServiceInstanceBuilder<T> builder = ServiceInstance.builder();
    builder.id(words[2]).name(words[3]).address(words[4]).payload(payload);
    if (words[1].equals("secure")) {
      builder.sslPort(Integer.parseInt(words[5]));
    } else {
      builder.port(Integer.parseInt(words[5]));
    }
    builder.enabled(!words[1].equals("disabled"));
    if (words[1].equals("spring")) {
      builder.uriSpec(new UriSpec("{scheme}://{address}:{port}"));
    }
    ((Writer<T>) writer).register(builder.build());
  }

  /** Writer registers instances whose payload is of one class. */
  private static final class Writer<T> {
    private final ServiceDiscovery<T> discovery;
    private final Map<String, ServiceInstance<T>> registered = new HashMap<>();

    Writer(CuratorFramework zookeeper, String base, Class<T> payload, boolean compatible) throws Exception {
      discovery =
          ServiceDiscoveryBuilder.builder(payload)
              .client(zookeeper)
              .basePath(base)
              .serializer(new JsonInstanceSerializer<>(payload, compatible))
              .build();
      discovery.start();
    }

    void register(ServiceInstance<T> instance) throws Exception {
      if (registered.put(instance.getId(), instance) == null) {
        discovery.registerService(instance);
      } else {
        discovery.updateService(instance);
      }
    }

    void unregister(String id) throws Exception {
      discovery.unregisterService(registered.remove(id));
    }
  }
}
