import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import test from 'node:test'
import { temporaryDirectory } from '#harness/directory'
import { createLogDatabase, openLog } from '#harness/log'
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

  const parked = (...args: string[]) => {
    const env = { PATH: process.env.PATH, DATABASE_URL: url }
    const options = { cwd: directory.path, env, encoding: 'utf8', timeout: 20_000 } as const
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'parked', ...args], options)
    return { code: status, out: stdout, err: stderr }
  }
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
  assert.equal(parked('retry', ANSWER, 'a').out, 'toy.answer a\n')
  await until('nothing is parked any more', async () => (await log.parked()).length === 0)
  assert.equal(parked('list').out, 'Nothing is parked.\n')
})
