import { ecb } from './ecb.ts'
import { type RateFormat, readRates } from './format.ts'
import { plain } from './plain.ts'
import { isZip, unzipped } from './zip.ts'

/** In which rates can be imported; another is another file like those. */
const formats: readonly RateFormat[] = [ecb, plain]

/** A file of rates as it was published, in an archive or not. @throws RatesUnreadable, naming the line. */
export function readRateFile(bytes: Buffer) {
  return readRates((isZip(bytes) ? unzipped(bytes) : bytes).toString('utf8'), formats)
}
