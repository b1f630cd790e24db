import assert from 'node:assert/strict'
import { systemClock } from '#kernel/clock'
import { openDatabase } from '#kernel/postgres-database'
import { createWakeups, type LoopReport, registerLog } from '#log'
import { ARCHIVE_GROUP, createArchiver, type Kept } from '../../src/log/archiver.ts'
import { toyModule } from '../../src/log/conformance/toy.ts'
import { createLeaseKeeper } from '../../src/log/lease.ts'
import { consumersOf } from '../../src/log/runtime.ts'
import { step } from '../../src/log/step.ts'
import { openArchive } from './archive.ts'
import { createPuppet } from './faults.ts'
import { createLogDatabase, openLog } from './log.ts'

type Ending = { after(work: () => Promise<void>): void }

/**
 * A log with the toy module, an archive, and an archiver that has the lease and for which all that is archived is old. It runs
 * on connections of its own, which can be cut. Groups read when they are told to.
 */
export async function openArchivedLog(t: Ending) {
  const { url } = await createLogDatabase(t)
  const log = openLog(t, url)
  const database = openDatabase({ url, connectionsMax: 4, applicationName: 'reader' })
  const puppet = createPuppet({ url, name: 'archiver' })
  t.after(async () => {
    await Promise.all([database.close(), puppet.close()])
  })
  const modules = [toyModule()]
  await registerLog(database, modules, [ARCHIVE_GROUP])
  const consumers = modules.flatMap(consumersOf)
  const groups = [ARCHIVE_GROUP, ...consumers.map(({ group }) => group)]
  const leases = createLeaseKeeper(database, 'one', groups, createWakeups())
  await leases.tick()
  const problems: LoopReport[] = []
  const archive = openArchive(t)
  const archiver = createArchiver({
    archive,
    retentionMs: 0,
    database: puppet.database,
    clock: systemClock,
    leases,
    wakeups: createWakeups(),
    report: (report) => void problems.push(report),
  })
  const enqueue = async (): Promise<void> => {}
  const [answer, watch] = consumers
  assert.ok(answer && watch)
  const done = { archived: 0, dropped: 0, restored: 0 }

  const keep = async (work: () => Promise<Kept | undefined>): Promise<boolean> => {
    const kept = await work().catch((error: unknown) => {
      assert.ok(error instanceof Error && error.name === 'DatabaseFault', String(error))
      return undefined
    })
    if (kept) done[kept.done]++
    return kept !== undefined
  }
  const read = async (consumer: typeof answer, total: number): Promise<number> => {
    const bounds = { perPartition: total, total, bytes: 100_000 }
    const context = { database, clock: systemClock, enqueue }
    return (await step(consumer, leases.of(consumer.group), bounds, context)).events
  }

  /** So far that no group holds anything back. */
  const catchUp = async (): Promise<void> => {
    while ((await read(watch, 100)) + (await read(answer, 100)) > 0);
  }
  return {
    log: { ...log, url },
    database,
    archive,
    problems,
    done,
    /** Archives all there is. */
    async archiveAll(): Promise<void> {
      while (await keep(() => archiver.close({ events: 1, ageMs: 0 })));
    },
    /** Drops or brings back one segment. Returns whether there was one. */
    serve: () => keep(() => archiver.serve()),
    catchUp,
    /** Has everything read, and then drops what can be dropped. */
    async drain(): Promise<void> {
      await catchUp()
      while (await keep(() => archiver.serve()));
    },
    /** At its n-th statement from here the archiver's connections break. */
    cutAt: (at: number) => puppet.arm({ at, kind: 'cut' }),
    answer: (total: number) => read(answer, total),
    watch: (total: number) => read(watch, total),
  }
}
