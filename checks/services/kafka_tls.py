"""The checks of kafka_checks.py, and checks with a broker that uses TLS."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from checks.services import kafka, kafka_checks
from checks.services.kafka_checks import STOP_MS, TOPICS, Facts
from checks.services.proxy import swallowing
from harness.process import free_port, jdk
from harness.spark import Place, require

STORE_PASSWORD = "of-the-stores"


class Certificates:
    """Self-signed certificates: the broker's, a client's, and one that no side trusts."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        for name in ("broker", "client", "stranger"):
            self._keytool("-genkeypair", "-alias", name, "-keyalg", "RSA", "-keysize", "2048", "-validity", "2", "-dname", f"CN={name}", "-ext", "san=ip:127.0.0.1",
                          "-keystore", str(self.store(name)))
            self._keytool("-exportcert", "-rfc", "-alias", name, "-keystore", str(self.store(name)), "-file", str(self.pem(name)))
        self._keytool("-importcert", "-noprompt", "-alias", "client", "-file", str(self.pem("client")), "-keystore", str(self.store("trusted")))

    def store(self, name: str) -> Path:
        return self._folder / f"{name}.p12"

    def pem(self, name: str) -> Path:
        return self._folder / f"{name}.pem"

    @staticmethod
    def _keytool(*arguments: str) -> None:
        command = [jdk("keytool"), *arguments, "-storetype", "PKCS12", "-storepass", STORE_PASSWORD]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        require(done.returncode == 0, f"keytool {arguments[0]}: {done.stdout}{done.stderr}")


class TlsBroker(kafka.Broker):
    """A broker with two more listeners: `scram`, TLS with SCRAM, and `mutual`, TLS with a client certificate. It has the topics once it is started."""

    def __init__(self, place: Place) -> None:
        self.certificates = Certificates(place.folder / "certificates")
        plain, scram, mutual, controller = (free_port() for _ in range(4))
        self.scram, self.mutual = f"127.0.0.1:{scram}", f"127.0.0.1:{mutual}"
        listeners = f"PLAINTEXT://127.0.0.1:{plain},SCRAM://127.0.0.1:{scram},MUTUAL://127.0.0.1:{mutual}"
        more = {
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}", "advertised.listeners": listeners,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SCRAM:SASL_SSL,MUTUAL:SSL",
            "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.scram.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "listener.name.mutual.ssl.client.auth": "required",
            "ssl.keystore.type": "PKCS12", "ssl.keystore.location": str(self.certificates.store("broker")), "ssl.keystore.password": STORE_PASSWORD,
            "ssl.truststore.type": "PKCS12", "ssl.truststore.location": str(self.certificates.store("trusted")), "ssl.truststore.password": STORE_PASSWORD,
        }
        super().__init__(place.built, place.folder / "kafka", more=more, format=("--add-scram", f"SCRAM-SHA-512=[name=andiron,password={kafka.PASSWORD}]"))
        self.port, self.address = plain, f"127.0.0.1:{plain}"

    def start(self, command: list[str] | None = None) -> None:
        super().start(command)
        self.create(*TOPICS)

    def by_password(self, place: Place, trusted: str = "broker") -> dict[str, str]:
        file = place.folder / "password"
        file.write_text(kafka.PASSWORD)
        return {"security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "andiron", "sasl.password.file": str(file),
                "ssl.ca.location": str(self.certificates.pem(trusted))}

    def by_certificate(self, place: Place) -> dict[str, str]:
        file = place.folder / "of-the-store"
        file.write_text(STORE_PASSWORD)
        return {"security.protocol": "SSL", "ssl.ca.location": str(self.certificates.pem("broker")), "ssl.keystore.location": str(self.certificates.store("client")),
                "ssl.keystore.password.file": str(file)}


class Checks(kafka_checks.Checks):
    def checks(self) -> list[Callable[[Place], Facts]]:
        return [*super().checks(), self.tls, self.tls_at_the_end]

    def tls(self, place: Place) -> Facts:
        """An untrusted broker, then a password over TLS, then a client certificate. No output contains a secret."""
        with TlsBroker(place) as tls:
            with self.app(place, "stranger", tls.scram, tls.by_password(place, "stranger")) as app:
                app.await_failure("TLS fails", "spark.andiron.kafka.ssl")
                app.rounds(2)
                stop = app.ended()
                require(len(app.failures()) == 1, app.failures())
                require(self.health(place, app.id)["failed"].get("tls", 0) > 0, "no failure of TLS is counted")
                ids = [app.id]
            for name, address, settings in (("password", tls.scram, tls.by_password(place)), ("certificate", tls.mutual, tls.by_certificate(place))):
                with self.app(place, name, address, settings, ["rounds=10"]) as app:
                    app.ended()
                    ids.append(app.id)
                    require(not app.failures(), app.failures())
                    require(self.health(place, app.id)["sent"] > 0, "nothing was sent over TLS")
                    shown = app.log + app.out + place.andiron("report", app.id) + place.andiron("events", app.id)
                    require(kafka.PASSWORD not in shown and STORE_PASSWORD not in shown, "a secret is shown")
            place.ship(tls.address)
            return self.compare(place, tls, ids) | {"stop_ms": stop}

    def tls_at_the_end(self, place: Place) -> Facts:
        """Applications that end while their client is inside TLS code: with a stopped broker, and while connections break repeatedly."""
        stops: list[int] = []
        ids: list[str] = []
        with TlsBroker(place) as tls:
            for turn in range(3):
                with self.app(place, f"stopped-{turn}", tls.scram, tls.by_password(place)) as app:
                    app.rounds(3)
                    with tls.paused():
                        app.rounds(2)
                        stops.append(app.ended())
                    ids.append(app.id)
            for turn in range(3):
                # Each connection breaks at the broker's first answer.
                with swallowing(0, 0, int(tls.scram.split(":")[1])) as cutter, self.app(
                        place, f"breaking-{turn}", f"127.0.0.1:{cutter.port}", tls.by_password(place) | {"reconnect.backoff.ms": "1", "reconnect.backoff.max.ms": "10"}) as app:
                    app.wait("100 connections have broken", lambda: cutter.cuts >= 100)
                    stops.append(app.ended())
                    ids.append(app.id)
            require(max(stops) < STOP_MS, f"ends took {stops} ms")
            place.ship(tls.address)
            self.require_all(place, tls, ids)
            return {"ends": len(stops), "stop_ms": max(stops)}
