package andiron.internal.metrics

import java.nio.charset.StandardCharsets.UTF_8
import java.security.SecureRandom
import javax.crypto.Mac
import javax.crypto.spec.SecretKeySpec

/**
 * The key for hashes of redacted rows: without it, hashes cannot be matched by trying out inputs. Tasks receive it in
 * their step's closure; it is part of no setting, and no sink ships it.
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

  /** A secret from hexadecimal digits. */
  def of(digits: String): HashSecret = new HashSecret(digits.grouped(2).map(Integer.parseInt(_, 16).toByte).toArray)

  /** A random secret, unique to this process. */
  def random(): HashSecret = {
    val key = new Array[Byte](32)
    new SecureRandom().nextBytes(key)
    new HashSecret(key)
  }
}
