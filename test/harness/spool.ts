import { join } from 'node:path'
import { systemClock } from '#kernel/clock'
import { systemRandom } from '#kernel/random'
import { inWorker, openSpool, type Spool, type SpoolReport } from '#spool'
import { masterKey } from './app.ts'
import { temporaryDirectory } from './directory.ts'

type Ending = { after(work: () => Promise<void>): void }

export type SpoolUnderTest = { readonly spool: Spool; readonly directory: string; readonly reports: SpoolReport[] }

/** A spool as the platform has it, in a directory of the test's own or the one named, closed when the test ends. */
export async function openTestSpool(t: Ending, { directory = newDirectory(t) } = {}): Promise<SpoolUnderTest> {
  const reports: SpoolReport[] = []
  const spool = await openSpool({
    ...(await inWorker(directory)),
    process: `process-${systemRandom.bytes(6).toString('hex')}`,
    masterKey,
    random: systemRandom,
    clock: systemClock,
    isFull: async () => false,
    report: (report) => void reports.push(report),
  })
  t.after(() => spool.close())
  return { spool, directory, reports }
}

function newDirectory(t: Ending): string {
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  return join(directory.path, 'spool')
}
