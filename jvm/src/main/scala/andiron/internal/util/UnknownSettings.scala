package andiron.internal.util

import java.util.Locale

import org.apache.spark.SparkConf

import andiron.{AndironConf, ErrorCode, SettingException}

/** Detects keys with Andiron's prefix that are not Andiron settings. */
private[andiron] object UnknownSettings {
  private val Prefix = "spark.andiron."

  /** Prefix of keys that Andiron itself sets. */
  private val Internal = Prefix + "internal."

  /** Maximum number of similar settings named per key. */
  private val MostNamed = 3

  private val Far = 1000

  private val settings: Seq[String] = AndironConf.all.map(_.key).filterNot(_.contains('<'))
  private val known = settings.toSet

  /** Throws a SettingException that names all such keys of `conf`, with the most similar settings for each. */
  def refuse(conf: SparkConf): Unit = {
    val found = conf.getAll.map(_._1).filter(key => key.startsWith(Prefix) && !isKnown(key)).sorted
    if (found.nonEmpty)
      throw new SettingException(ErrorCode.BadSetting,
        s"${found.map(saying).mkString(" ")} All settings are listed in docs/guide/settings.md; correct the key, or leave it out.", null)
  }

  /**
   * Whether the key is a setting. Any key with the Kafka prefix counts; the native side checks Kafka's own properties.
   */
  def isKnown(key: String): Boolean = known(key) || AndironConf.sinkPrefixes.exists(key.startsWith) || key.startsWith(Internal)

  private def saying(key: String): String = alike(key) match {
    case Nil => s"$key is no setting of Andiron."
    case all => s"$key is no setting of Andiron: did you mean ${all.mkString(" or ")}?"
  }

  /**
   * The settings most similar to `key`: as a whole, or by the last word if the words before it are wrong or missing.
   */
  private[internal] def alike(key: String): List[String] = {
    val told = rest(key)
    val distances = (settings ++ ofSink(told)).distinct.map { setting =>
      val meant = rest(setting)
      setting -> math.min(distance(told, meant), ofLast(last(told), last(meant)) + (if (group(told) == group(meant)) 0 else 1))
    }
    val most = math.max(2, last(told).length / 3)
    val least = distances.map(_._2).min
    if (least > most) Nil else distances.collect { case (setting, `least`) => setting }.take(MostNamed).toList
  }

  /** Distance of the last words alone; `Far` unless they are almost equal or one is a prefix of the other. */
  private def ofLast(told: String, meant: String): Int = {
    val apart = distance(told, meant)
    if (apart <= told.length / 4) apart + 1
    else if (told.length > 2 && meant.length > 2 && (meant.startsWith(told) || told.startsWith(meant))) 2
    else Far
  }

  /** The corrected key if the word of a sink is misspelt. */
  private def ofSink(told: String): Option[String] = {
    val (group, property) = told.span(_ != '.')
    def word(prefix: String): String = prefix.stripPrefix(Prefix).stripSuffix(".")
    AndironConf.sinkPrefixes.find(prefix => property.length > 1 && distance(group, word(prefix)) <= 2).map(_ + property.drop(1))
  }

  private def rest(key: String): String = key.stripPrefix(Prefix).toLowerCase(Locale.ROOT).trim

  private def group(words: String): String = words.substring(0, math.max(0, words.lastIndexOf('.')))

  private def last(words: String): String = words.substring(words.lastIndexOf('.') + 1)

  /** Levenshtein distance. */
  private def distance(a: String, b: String): Int =
    a.foldLeft((0 to b.length).toVector) { (above, character) =>
      b.indices.foldLeft(Vector(above.head + 1)) { (row, at) =>
        val replaced = above(at) + (if (b(at) == character) 0 else 1)
        row :+ math.min(replaced, math.min(above(at + 1), row(at)) + 1)
      }
    }.last
}
