//! The reasons of failures, by the client's error codes.

use rdkafka::error::RDKafkaErrorCode;

use super::settings::KafkaSettings;

/// The reason of a failure: a cause of one word, by which it is counted, and a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FailureReason {
    pub(super) cause: &'static str,
    pub(super) why: String,
}

/// The cause of failures without a reachable broker.
pub(super) const UNREACHABLE: &str = "unreachable";

const TLS: &str = "TLS fails; check spark.andiron.kafka.ssl.* and security.protocol";

/// The client's report about itself, unless it is only that no broker is reachable.
pub(super) fn refusal(code: RDKafkaErrorCode, text: &str) -> Option<FailureReason> {
    let reason = |cause, what: &str| Some(FailureReason { cause, why: format!("{what}: {text}") });
    match code {
        RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => reason(
            "authentication",
            "the brokers refuse to authenticate; check spark.andiron.kafka.sasl.* and ssl.*",
        ),
        RDKafkaErrorCode::SSL => reason("tls", TLS),
        // A handshake that fails within the client's first call of OpenSSL has the code of a connection.
        RDKafkaErrorCode::BrokerTransportFailure if is_of_openssl(text) => reason("tls", TLS),
        RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::Resolve => {
            reason(UNREACHABLE, "no broker can be reached; check spark.andiron.kafka.bootstrap.servers")
        }
        _ => None,
    }
}

/// Whether the text has an error of OpenSSL's: `error:0A000086:SSL routines::certificate verify failed`.
fn is_of_openssl(text: &str) -> bool {
    text.contains(":SSL routines:")
}

/// The reason of a failed message for `topic`.
pub(super) fn of_message(code: RDKafkaErrorCode, topic: &str, settings: &KafkaSettings) -> FailureReason {
    let (cause, why) = match code {
        RDKafkaErrorCode::UnknownTopic
        | RDKafkaErrorCode::UnknownTopicOrPartition
        | RDKafkaErrorCode::UnknownPartition => (
            "topic",
            format!("there is no topic {topic}: create it, or name another with {}", settings.names(topic)),
        ),
        RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed => (
            "authorization",
            format!("the brokers do not let this client write to {topic}: grant it idempotent writes"),
        ),
        RDKafkaErrorCode::NotEnoughReplicas | RDKafkaErrorCode::NotEnoughReplicasAfterAppend => {
            ("replicas", format!("{topic} has fewer replicas in sync than its min.insync.replicas"))
        }
        other => ("broker", format!("a message for {topic} failed: {other}")),
    };
    FailureReason { cause, why }
}

/// The reason for a broker that is reachable and slow.
pub(super) fn slow() -> FailureReason {
    FailureReason { cause: "slow", why: "the brokers are reached, and do not answer in time".to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_that_fails_at_once_is_a_failure_of_tls() {
        let cause = |code, text| refusal(code, text).map(|reason| reason.cause);
        let transport = RDKafkaErrorCode::BrokerTransportFailure;
        let verify = "sasl_ssl://127.0.0.1:9/bootstrap: error:0A000086:SSL routines::certificate verify failed (after 19ms in state SSL_HANDSHAKE)";
        assert_eq!(cause(transport, verify), Some("tls"));
        assert_eq!(cause(RDKafkaErrorCode::SSL, "SSL handshake failed"), Some("tls"));
        assert_eq!(
            cause(
                transport,
                "ssl://127.0.0.1:9/bootstrap: Connect to ipv4#127.0.0.1:9 failed: Connection refused"
            ),
            Some(UNREACHABLE)
        );
        assert_eq!(cause(RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down"), None);
    }
}
