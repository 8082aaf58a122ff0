package andiron.testing

import java.io.{ByteArrayInputStream, ByteArrayOutputStream, ObjectInputStream, ObjectOutputStream, ObjectStreamClass}

/** Copies of objects, as Java serialises them. */
object Copies {
  def bytes(value: AnyRef): Array[Byte] = {
    val bytes = new ByteArrayOutputStream
    val out = new ObjectOutputStream(bytes)
    out.writeObject(value)
    out.close()
    bytes.toByteArray
  }

  def of[A](bytes: Array[Byte]): A = {
    val in = new ObjectInputStream(new ByteArrayInputStream(bytes)) {
      override def resolveClass(of: ObjectStreamClass): Class[_] = Class.forName(of.getName, false, Thread.currentThread.getContextClassLoader)
    }
    in.readObject().asInstanceOf[A]
  }
}
