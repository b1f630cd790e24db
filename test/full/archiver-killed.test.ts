import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { rowsOf } from '#harness/app'
import { archiveAll, openArchive } from '#harness/archive'
import { createLogDatabase, openLog } from '#harness/log'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { openDatabase } from '#kernel/postgres-database'
import { seededRandom } from '#kernel/random'
import { createHistory, gaps, registerLog, stretchSince } from '#log'
import { verifyArchive } from '#log/archive'
import { ask, asked, toyModule, WATCH } from '../../src/log/conformance/toy.ts'

// A process that archives and drops is killed with kill -9, again and again, in the middle of files and of segments, while
// events arrive and a group starts over at the beginning of the log. In the end nothing is lost, doubled or out of order,
// in any table, file or reader.

const ROUNDS = 14
const EVENTS = 3_000

test('an archiver that is killed anywhere leaves a log that is whole, and an archive that is', async (t) => {
  const { url } = await createLogDatabase(t)
  const log = openLog(t, url)
  const database = openDatabase({ url, connectionsMax: 3, applicationName: 'auditor' })
  t.after(() => database.close())
  await registerLog(database, [toyModule()], [])
  const archive = openArchive(t)
  const random = seededRandom(11)
  const text = 'y'.repeat(300)
  let n = 0
  const caughtAt = { partial: 0, dropping: 0, restoring: 0 }
  const reader = await log.start('reader', { modules: [toyModule()] })

  for (let round = 0; round < ROUNDS; round++) {
    await log.append(Array.from({ length: EVENTS / 6 }, () => ask(`key_${n % 3}`, { n: ++n, text, say: 'hush' })))
    // As a new group, which needs what has been dropped.
    if (round % 4 === 3) {
      await rowsOf(database, 'delete from toy.seen where grp = $1', [WATCH])
      await rowsOf(database, 'update log.checkpoint set next_offset = 0 where grp = $1', [WATCH])
    }
    const script = join(import.meta.dirname, '../harness/archiver-process.ts')
    const child = spawn(process.execPath, [script, url, archive.directory], { stdio: ['ignore', 'pipe', 'inherit'] })
    const gone = once(child, 'exit')
    t.after(async () => void child.kill('SIGKILL'))
    await once(child.stdout, 'data')
    await systemClock.sleep(20 + random.unit() * 600)
    child.kill('SIGKILL')
    await gone
    const states = await rowsOf<{ state: string }>(database, 'select state from log.segment')
    if (states.some(({ state }) => state === 'dropping')) caughtAt.dropping++
    if (states.some(({ state }) => state === 'restoring')) caughtAt.restoring++
    if (readdirSync(archive.directory, { recursive: true }).some((path) => String(path).endsWith('.partial'))) {
      caughtAt.partial++
    }
    await rowsOf(database, `update log.lease set expires_at = '-infinity' where grp = 'log.archive'`)
    await rowsOf(database, `delete from log.member where grp = 'log.archive'`)
  }

  t.diagnostic(`in the middle of: ${JSON.stringify(caughtAt)}`)
  assert.ok(caughtAt.partial + caughtAt.dropping + caughtAt.restoring > 0, 'every kill hit a process at rest')
  await until('the reader has read all', async () => {
    await archiveAll(database, archive, 0)
    return (await log.lag(WATCH)) === 0
  })
  await reader.stop()
  await archiveAll(database, archive, 0)
  const partials = readdirSync(archive.directory, { recursive: true }).filter((path) =>
    String(path).endsWith('.partial'),
  )
  assert.deepEqual(partials, [])
  assert.deepEqual(await gaps(database), [])
  assert.deepEqual((await verifyArchive(database, archive)).findings, [])
  const seen = (await log.seen(WATCH)).map(({ data }) => data.n)
  assert.deepEqual(
    seen.toSorted((one, other) => one - other),
    Array.from({ length: n }, (_, i) => i + 1),
  )
  const told: number[] = []
  const stretch = await stretchSince(database, [asked.topic], new Date(0))
  for await (const rows of createHistory({ database, archive }).read(stretch)) {
    told.push(...rows.map(({ event }) => JSON.parse(event).data.n))
  }
  assert.deepEqual(
    told.toSorted((one, other) => one - other),
    seen.toSorted((one, other) => one - other),
  )
})
