package org.apache.spark.andironshim

import org.apache.spark.sql.{catalyst, execution}
import org.apache.spark.sql.execution.ui

/** Aliases of private Spark types, so that code outside the shim imports no private package of Spark. */
object PrivateTypes {
  type InternalRow = catalyst.InternalRow
  type PlanInfo = execution.SparkPlanInfo
  type ExecutionStart = ui.SparkListenerSQLExecutionStart
  type ExecutionUpdate = ui.SparkListenerSQLAdaptiveExecutionUpdate
  type ExecutionEnd = ui.SparkListenerSQLExecutionEnd
}
