package andiron.internal.metrics

/** Carries an error out of a row's function that is no failure of the row: the task fails with the cause. */
private[andiron] final class TaskFault(cause: Throwable) extends RuntimeException(cause.getMessage, cause, false, false)
