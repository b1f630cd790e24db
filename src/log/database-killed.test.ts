import assert from 'node:assert/strict'
import { join } from 'node:path'
import test from 'node:test'
import { temporaryDirectory } from '#harness/directory'
import { migrateAll, openLog } from '#harness/log'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { startPostgres } from '#kernel/postgres/start'
import { assertOrderPerKey } from './conformance/checks.ts'
import { ANSWER, answered, ask, toyModule, WATCH } from './conformance/toy.ts'

const KILLS = 20

/**
 * PostgreSQL with fsync on is killed twenty times while eight writers append and two processes consume. An append that
 * was acknowledged must take effect once; one that was not may have happened or not, and is repeated with its own id
 * until it is acknowledged, so its event may stand on the log more than once. Nothing may throw where nobody can catch
 * it, and nothing may hang: the writers have to come to an end.
 */
test('PostgreSQL killed twenty times under load: what was acknowledged takes effect, and nothing hangs', async (t) => {
  const uncaught: unknown[] = []
  const note = (error: unknown): void => void uncaught.push(error)
  process.on('uncaughtException', note).on('unhandledRejection', note)
  t.after(() => void process.off('uncaughtException', note).off('unhandledRejection', note))

  const directory = temporaryDirectory()
  const dataDir = join(directory.path, 'postgres')
  let server = await startPostgres({ dataDir })
  const { url, port } = server
  await migrateAll(url)
  let isOpen = true
  t.after(async () => {
    isOpen = false
  })
  const log = openLog(t, url)
  t.after(async () => {
    await server.stop('immediate')
    await directory.remove()
  })
  const modules = [toyModule()]
  await log.start('one', { modules })
  await log.start('two', { modules })

  const acknowledged = new Set<string>()
  let attempts = 0
  const write = async (writer: number): Promise<void> => {
    for (let n = 0; isOpen; n++) {
      const event = ask(`key ${writer}`, { n })
      while (isOpen && !acknowledged.has(event.id)) {
        attempts++
        await log.append([event]).then(
          () => acknowledged.add(event.id),
          () => systemClock.sleep(20),
        )
      }
    }
  }
  const writers = Array.from({ length: 8 }, (_, writer) => write(writer))
  for (let kill = 0; kill < KILLS; kill++) {
    const before = acknowledged.size
    await until('work goes on', () => acknowledged.size > before + 20, 30_000)
    process.kill(server.pid, 'SIGKILL')
    server = await startPostgres({ dataDir, port })
  }
  const before = acknowledged.size
  await until('work goes on after the last', () => acknowledged.size > before, 30_000)
  isOpen = false
  await Promise.all(writers)

  // A session of the pool may still be one that the last kill broke: asking again is what a caller does.
  const isThrough = async (): Promise<boolean> => (await log.lag(ANSWER)) === 0 && (await log.lag(WATCH)) === 0
  await until('both groups have passed everything', () => isThrough().catch(() => false), 30_000)
  const seen = await log.seen(ANSWER)
  const places = seen.map(({ topic, partition, offset }) => `${topic}/${partition}/${offset}`)
  assert.equal(new Set(places).size, places.length, 'no offset took effect twice')
  const ids = new Set(seen.map(({ id }) => id))
  assert.deepEqual(
    [...acknowledged].filter((id) => !ids.has(id)),
    [],
    'acknowledged and lost',
  )
  assertOrderPerKey(seen)
  const answers = (await log.seen(WATCH)).filter(({ type }) => type === answered.type)
  assert.equal(answers.length, seen.length, 'one answer to each question on the log')
  assert.deepEqual(uncaught, [])
  t.diagnostic(`${acknowledged.size} acknowledged in ${attempts} attempts, ${seen.length} on the log`)
})
