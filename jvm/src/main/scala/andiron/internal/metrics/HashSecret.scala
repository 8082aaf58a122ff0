package andiron.internal.metrics

import java.nio.charset.StandardCharsets.UTF_8
import java.security.SecureRandom
import javax.crypto.Mac
import javax.crypto.spec.SecretKeySpec

/**
 * What keys the hashes of redacted rows: who has only the hashes cannot try out what they are of. Tasks get it in the closure of their step; it
 * is in no setting, and nothing ships it.
 */
private[andiron] final class HashSecret(key: Array[Byte]) extends Serializable {

  /** The first 64 bits of HMAC-SHA256 over a place and a text. */
  def hash(place: String, text: String): Long = {
    val mac = Mac.getInstance(HashSecret.Algorithm)
    mac.init(new SecretKeySpec(key, HashSecret.Algorithm))
    mac.update(place.getBytes(UTF_8))
    mac.update(0.toByte)
    java.nio.ByteBuffer.wrap(mac.doFinal(text.getBytes(UTF_8))).getLong
  }

  override def toString: String = "HashSecret(not shown)"
}

private[andiron] object HashSecret {
  private val Algorithm = "HmacSHA256"

  /** From hexadecimal digits. */
  def of(digits: String): HashSecret = new HashSecret(digits.grouped(2).map(Integer.parseInt(_, 16).toByte).toArray)

  /** One that no other process has. */
  def random(): HashSecret = {
    val key = new Array[Byte](32)
    new SecureRandom().nextBytes(key)
    new HashSecret(key)
  }
}
