package andiron.demo

/** The features of a flight: integers, as demo/features.py computes them without Spark. */
object Features {
  /** An unknown value. */
  val None: Int = -9999

  /** The features in the order of demo/features.py. */
  def of(flight: Flight, facts: Facts): Array[Int] = {
    val month = flight.version.substring(5).toInt
    val recovered =
      if (flight.depDelay == None || flight.arrDelay == None) None else flight.depDelay - flight.arrDelay
    val delay = delayClass(flight.depDelay)
    val weather = weatherClass(facts)
    val age = if (facts.year == None) None else 2013 - facts.year
    val altitudeClass = if (facts.altitude == None) -1 else math.max(facts.altitude, 0) / 1000
    val exposure = delay * 100000 + weather * 10000 + (if (age == None) 0 else math.min(age, 99)) * 100 +
      math.max(facts.planeFlights, 0) % 100
    Array(
      flight.id, month, flight.depDelay, flight.arrDelay, recovered, delay, facts.temp, facts.wind, facts.visib,
      facts.precip, weather, age, facts.seats, facts.engines, facts.planeFlights, facts.altitude, altitudeClass,
      facts.zone, facts.airportFlights, flight.distance / 500, exposure)
  }

  /** The features as one CSV line. */
  def line(flight: Flight, facts: Facts): String = of(flight, facts).mkString(",")

  /** 0 cancelled, 1 less than a quarter of an hour late, 2 less than an hour, 3 more. */
  def delayClass(depDelay: Int): Int =
    if (depDelay == None) 0 else if (depDelay < 15) 1 else if (depDelay < 60) 2 else 3

  /** 0 unknown, 1 fair, 2 rain, 3 below three miles of sight, 4 from 25 miles an hour of wind. */
  private def weatherClass(facts: Facts): Int =
    if (facts.visib == None) 0
    else if (facts.wind >= 250) 4
    else if (facts.visib < 30) 3
    else if (facts.precip > 0) 2
    else 1
}
