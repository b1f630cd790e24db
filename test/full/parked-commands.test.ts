import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { openApp } from '#harness/app'
import { temporaryDirectory } from '#harness/directory'
import { createLogDatabase, openLog } from '#harness/log'
import { chargeSucceeded, refundObject, stripeEvent } from '#harness/stripe-events'
import { until } from '#harness/until'
import { operations } from '#log'
import { ANSWER, ask, toyModule } from '../../src/log/conformance/toy.ts'

const program = join(import.meta.dirname, '../../src/cli/main.ts')

test('parked keys are listed, shown and retried; a group or key that is not there is one line', async (t) => {
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  const { url } = await createLogDatabase(t)
  let chokes = true
  const log = openLog(t, url)
  await log.start('one', { modules: [operations, toyModule({ chokesOn: ({ say }) => chokes && say === 'poison' })] })
  await log.append([ask('a', { n: 0, say: 'poison' }), ask('a', { n: 1 })])
  await until('the key is parked', async () => (await log.parked()).length === 2)

  const parked = shell(directory.path, url)
  for (const [args, line] of [
    [['list', 'toy.answre'], /^No group has the name toy\.answre\. Did you mean toy\.answer\?\n$/],
    [['show', 'elsewhere', 'a'], /^No group has the name elsewhere\. The groups are: toy\.answer, toy\.watch\.\n$/],
    [['show', ANSWER, 'b'], /^Nothing of b is parked in toy\.answer\. See: millrace parked list\n$/],
    [['retry', 'elsewhere'], /^No group has the name elsewhere\./],
    [['retry', ANSWER, 'b'], /^Nothing of b is parked in toy\.answer\. See: millrace parked list\n$/],
  ] as const) {
    const { code, out, err } = parked(...args)
    assert.deepEqual([code, out], [2, ''], args.join(' '))
    assert.match(err, line)
  }
  assert.match(parked('list').out, /^toy\.answer +a +2 +toy\.asked +InvariantViolation: .* parked$/m)
  const events = parked('show', ANSWER, 'a').out
  assert.ok(events.indexOf('"n": 0') > 0 && events.indexOf('"n": 0') < events.indexOf('"n": 1'), events)

  chokes = false
  const dry = parked('retry', ANSWER, 'a')
  assert.deepEqual([dry.code, dry.out], [0, 'toy.answer a\n'])
  assert.match(dry.err, /^Nothing was changed\. To do it, say the same with --yes\n$/)
  assert.equal(await log.retriesOpen(), 0)
  assert.equal(parked('retry', ANSWER, 'a', '--yes').out, 'toy.answer a\n')
  await until('nothing is parked any more', async () => (await log.parked()).length === 0)
  assert.equal(parked('list').out, 'Nothing is parked.\n')
})

test('a parked event is edited and discarded by hand: shown first, done with --yes, and on the log', async (t) => {
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  const app = await openApp(t)
  await app.rows(`alter table ledger.entry add constraint poison check (effective_at > '2027-01-01') not valid`)
  await app.start()
  await app.webhook(chargeSucceeded('ill'))
  await until('the capture is parked', async () => (await first()) !== undefined)
  await app.webhook(stripeEvent('refund.created', refundObject('ill', 'a', 100)))
  await app.settle()
  const { key = '', id = '' } = (await first()) ?? {}
  const parked = shell(directory.path, app.url)
  const GROUP = 'ledger.post-payments'
  const why = ['--reason', 'the clock of the gateway was wrong']

  for (const [args, line] of [
    [['edit', GROUP, key, '--set', '/data/delta=1'], /^--reason is missing/],
    [['edit', GROUP, key, ...why], /^Say what to change: --set or --file\.\n$/],
    [['edit', GROUP, key, ...why, '--set', 'delta=1'], /^--set must be a field of \/data and JSON/],
    [['edit', GROUP, key, ...why, '--set', '/data/delta=one'], /^--set must be a field of \/data and JSON/],
    [['edit', GROUP, key, ...why, '--file', 'nowhere'], /^--file: nowhere cannot be read\.\n$/],
    [['edit', GROUP, key, ...why, '--set', '/data/delta="1"'], /^Nothing was changed: payment\.captured: \/delta must/],
    [['edit', GROUP, key, ...why, '--set', '/data/more=1'], /^Nothing was changed: payment\.captured: /],
    [['edit', GROUP, 'pay_none', ...why, '--set', '/data/delta=1'], /^Nothing of pay_none is parked/],
    [['discard', GROUP, key], /^--reason is missing/],
    [['discard', GROUP, key, '--reason', 'Ada <ada@example.com> wants it'], /^--reason must be 3 to 200 letters/],
    [['discard', GROUP, key, '--event', 'evt_none', ...why], /^No event evt_none of .* is parked/],
  ] as const) {
    const { code, out, err } = parked(...args)
    assert.deepEqual([code, out], [2, ''], args.join(' '))
    assert.match(err, line)
  }

  const data = JSON.parse(parked('show', GROUP, key, '--data').out)
  const repaired = { ...data, effectiveAt: Date.parse('2027-02-01') }
  const file = join(directory.path, 'repaired.json')
  writeFileSync(file, JSON.stringify(repaired))
  const edit = ['edit', GROUP, key, '--file', file, ...why]
  const dry = parked(...edit)
  assert.equal(dry.code, 0)
  assert.match(
    dry.out,
    new RegExp(`^${GROUP} ${key}: payment\\.captured ${id} .*\\n  /data/effectiveAt: \\d+ → \\d+\\n$`),
  )
  assert.equal(dry.err, `Nothing was changed. To do it, say the same with --event ${id} --yes\n`)
  assert.equal((await app.rows(`select from log.event where topic = 'log'`)).length, 0)
  assert.match(parked(...edit, '--event', id, '--yes').err, /^Done\. Then: millrace parked retry /)
  assert.equal(JSON.parse(parked('show', GROUP, key, '--event', id).out).original.data.effectiveAt, data.effectiveAt)

  const [refund] = await app.rows<{ id: string }>(
    `select event ->> 'id' as id from log.parked order by sequence desc limit 1`,
  )
  const discarded = parked('discard', GROUP, key, '--event', refund?.id ?? '', ...why, '--yes')
  assert.match(discarded.out, /payment\.refunded evt_[\s\S]* is given up for good\n$/)
  await app.rows('alter table ledger.entry drop constraint poison')
  parked('retry', GROUP, key, ...why, '--yes')
  await until('nothing is parked', async () => (await first()) === undefined)
  const acts = await app.rows<{ type: string; by: string }>(
    `select type, data ->> 'by' as by from log.event where topic = 'log' order by position`,
  )
  assert.deepEqual(
    acts,
    ['log.parked_event_edited', 'log.parked_event_discarded', 'log.retry_requested'].map((type) => ({
      type,
      by: `os:${userInfo().username}`,
    })),
  )

  async function first(): Promise<{ id: string; key: string } | undefined> {
    const [row] = await app.rows<{ id: string; key: string }>(
      `select event ->> 'id' as id, key from log.parked order by sequence limit 1`,
    )
    return row
  }
})

function shell(cwd: string, url: string) {
  return (...args: string[]) => {
    const env = { PATH: process.env.PATH, DATABASE_URL: url }
    const options = { cwd, env, encoding: 'utf8', timeout: 20_000 } as const
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'parked', ...args], options)
    return { code: status, out: stdout, err: stderr }
  }
}
