import type { HttpPlatform } from './http-platform.ts'
import { type Generator, type Measured, measure } from './measure.ts'

const PARTS = 10

/** Whether the last tenth of a long run costs what the first did, and whether memory stays where it was. */
export async function longRun(platform: HttpPlatform, generator: Generator, payments: number): Promise<void> {
  const parts: Measured[] = []
  for (let part = 0; part < PARTS; part++) {
    const load = {
      kind: 'reported',
      payments: Math.ceil(payments / PARTS),
      perSecond: undefined,
      merchants: 500,
    } as const
    parts.push(await measure(platform, generator, load))
  }
  const [first, last] = [parts[0], parts.at(-1)]
  if (!first || !last) return
  const cpu = ({ nodeUs, postgresUs }: Measured): number => nodeUs + postgresUs
  const figures = (part: Measured): string =>
    `${cpu(part).toFixed(0)} µs, ${part.diskBytes.toFixed(0)} B on disk, Node at ${part.residentMb.toFixed(0)} MB`
  const highest = Math.max(...parts.map(({ residentMb }) => residentMb))
  console.log(`\n${payments} payments in a row: the first tenth ${figures(first)};`)
  console.log(`  the last tenth ${figures(last)} (highest ${highest.toFixed(0)} MB)`)
}
