package andiron.services;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Collectors;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The broker client of the checks: {@code <servers> create <partitions> <topics> [key=value ...]}; {@code <servers> read <topic>}, which prints one
 * JSON object per message; and {@code <servers> count <topic>}, which prints the numbers of messages and of distinct pairs of key and revision.
 * In Java, because Scala 2.13.8 cannot read the class files of Kafka 4.4.
 */
public final class KafkaTool {
  private KafkaTool() {}

  public static void main(String[] arguments) throws Exception {
    String servers = arguments[0];
    switch (arguments[1]) {
      case "create":
        create(servers, Integer.parseInt(arguments[2]), arguments[3].split(","), Arrays.asList(arguments).subList(4, arguments.length));
        break;
      case "read":
        StringBuilder lines = new StringBuilder();
        read(servers, arguments[2], message -> lines.append(json(message)).append('\n'));
        System.out.print(lines);
        break;
      case "count":
        Set<String> different = new HashSet<>();
        long[] count = {0};
        read(servers, arguments[2], message -> {
          count[0]++;
          Header revision = message.headers().lastHeader("revision");
          different.add(text(message.key()) + "#" + (revision == null ? "" : text(revision.value())));
        });
        System.out.println(count[0] + " " + different.size());
        break;
      default:
        throw new IllegalArgumentException("create, read or count, not " + arguments[1]);
    }
  }

  private static void create(String servers, int partitions, String[] topics, List<String> pairs) throws Exception {
    Map<String, String> settings = new HashMap<>();
    pairs.forEach(pair -> settings.put(pair.split("=", 2)[0], pair.split("=", 2)[1]));
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", servers))) {
      admin.createTopics(Arrays.stream(topics).map(topic -> new NewTopic(topic, partitions, (short) 1).configs(settings))
          .collect(Collectors.toList())).all().get();
    }
  }

  private static void read(String servers, String topic, Consumer<ConsumerRecord<byte[], byte[]>> each) {
    Map<String, Object> settings = Map.of("bootstrap.servers", servers, "allow.auto.create.topics", "false", "fetch.max.bytes", "8388608");
    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      if (!consumer.listTopics().containsKey(topic)) return;
      List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
          .map(partition -> new TopicPartition(topic, partition.partition())).collect(Collectors.toList());
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition)))
        consumer.poll(Duration.ofMillis(200)).forEach(each);
    }
  }

  private static ObjectNode json(ConsumerRecord<byte[], byte[]> message) {
    ObjectNode node = JsonNodeFactory.instance.objectNode().put("partition", message.partition()).put("offset", message.offset())
        .put("key", text(message.key())).put("value", text(message.value()));
    ObjectNode headers = node.putObject("headers");
    for (Header header : message.headers()) headers.put(header.key(), text(header.value()));
    return node;
  }

  /** The bytes as UTF-8 text, or {@code base64:} and the encoded bytes. */
  private static String text(byte[] bytes) {
    if (bytes == null) return "";
    String text = new String(bytes, StandardCharsets.UTF_8);
    return Arrays.equals(text.getBytes(StandardCharsets.UTF_8), bytes) ? text : "base64:" + Base64.getEncoder().encodeToString(bytes);
  }

  /** Sends one message per key and value, each of which may be null, and waits until the broker has acknowledged all of them. */
  static void send(String servers, String topic, byte[][] keys, byte[][] values) throws Exception {
    Map<String, Object> settings = Map.of("bootstrap.servers", servers, "acks", "all", "linger.ms", "5", "max.request.size", "4194304");
    try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
      List<Future<?>> sent = new ArrayList<>();
      for (int n = 0; n < keys.length; n++) sent.add(producer.send(new ProducerRecord<>(topic, keys[n], values[n])));
      for (Future<?> one : sent) one.get(60, TimeUnit.SECONDS);
    }
  }
}
