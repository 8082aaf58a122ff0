package andiron.services;

import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Sends messages to topics. In Java, because Scala 2.13.8 cannot read the class files of Kafka 4.4. */
final class Topics {
    private Topics() {}

    /** Sends one message per key and value, each of which may be null, and waits until the broker has acknowledged all of them. */
    static void send(String address, String topic, byte[][] keys, byte[][] values) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", address);
        settings.put("acks", "all");
        settings.put("linger.ms", "5");
        settings.put("max.request.size", "4194304");
        try (Producer<byte[], byte[]> producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            List<Future<?>> sent = new ArrayList<>();
            for (int n = 0; n < keys.length; n++) sent.add(producer.send(new ProducerRecord<>(topic, keys[n], values[n])));
            for (Future<?> one : sent) one.get(60, TimeUnit.SECONDS);
        }
    }
}
