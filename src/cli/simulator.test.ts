import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { temporaryDirectory } from '#harness/directory'
import { commandEnv } from '#harness/millrace'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { systemFetch } from '#kernel/fetch'

const program = join(import.meta.dirname, 'main.ts')

function directoryOf(t: TestContext): string {
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  return directory.path
}

function envOf(cwd: string, more: Record<string, string> = {}) {
  return { ...commandEnv, MILLRACE_DATA_DIR: cwd, ...more }
}

function run(cwd: string, args: string[], env: Record<string, string> = {}) {
  const options = { cwd, env: envOf(cwd, env), encoding: 'utf8', timeout: 20_000 } as const
  const { status, stderr } = spawnSync(process.execPath, [program, 'simulator', ...args], options)
  return { code: status, err: stderr }
}

async function start(t: TestContext, cwd: string, args: string[]) {
  const child: ChildProcess = spawn(process.execPath, [program, 'simulator', '--port', '0', ...args], {
    cwd,
    env: envOf(cwd),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  let out = ''
  child.stdout?.on('data', (data) => {
    out += data
  })
  await until('the simulator is ready', () => out.includes('Ctrl-C stops it.'), 20_000)
  const url = /ready: (\S+)/.exec(out)?.[1] ?? ''
  return { child, url, out: () => out }
}

test('every mistake in starting a simulator is told in one line, with exit code 2', (t) => {
  const cwd = directoryOf(t)
  writeFileSync(join(cwd, 'bad.json'), '{"rules":[{"when":{"amont":3},"then":{}}]}')
  const mistakes: [string[], RegExp, Record<string, string>?][] = [
    [[], /^millrace simulator is for test mode: it moves no money\. Live mode is set\.\n$/, { MILLRACE_MODE: 'live' }],
    [['--port', 'http'], /^--port must be a whole number from 0 to 65535\.\n$/],
    [['--webhook-url', 'ftp://x'], /^--webhook-url must be an http or https address\.\n$/],
    [['--scenario', 'none.json'], /^--scenario must name a file that can be read: none\.json cannot\.\n$/],
    [['--scenario', 'bad.json'], /^rules\.0\.when\.amont in bad\.json is not a setting\. Did you mean amount\?\n$/],
  ]
  for (const [args, line, env] of mistakes) {
    const { code, err } = run(cwd, args, env)
    assert.equal(code, 2, args.join(' '))
    assert.match(err, line)
  }
})

test('a simulator of its own serves, and two of one seed make the same; Ctrl-C ends it', async (t) => {
  const cwd = directoryOf(t)
  writeFileSync(join(cwd, 'day.json'), '{"rules":[{"when":{"amount":700},"then":{"behaviour":"decline_lost_card"}}]}')
  const { fetch, close } = systemFetch(systemClock)
  t.after(close)
  const [one, other] = await Promise.all([
    start(t, cwd, ['--seed', '7', '--scenario', 'day.json']),
    start(t, cwd, ['--seed', '7', '--scenario', 'day.json']),
  ])
  const pay = async (url: string, amount: number) => {
    const body = JSON.stringify({ amount, currency: 'eur', confirm: true })
    const headers = { 'idempotency-key': `k${amount}` }
    const answer = await fetch({ method: 'POST', url: `${url}/v1/payment_intents`, headers, body, timeoutMs: 5000 })
    return { status: answer.status, id: JSON.parse(answer.body).id }
  }
  assert.equal((await pay(one.url, 700)).status, 402)
  assert.deepEqual(await pay(one.url, 1500), await pay(other.url, 1500))
  assert.equal(statSync(join(cwd, 'simulated.webhook-secret')).mode & 0o777, 0o600)

  const taken = run(cwd, ['--port', new URL(one.url).port])
  assert.equal(taken.code, 2)
  assert.match(taken.err, /^--port must be free: something listens on \d+ already\.\n$/)

  one.child.kill('SIGINT')
  other.child.kill('SIGTERM')
  const codes = await Promise.all([one, other].map(async ({ child }) => (await once(child, 'close'))[0]))
  assert.deepEqual(codes, [0, 0])
  assert.match(one.out(), /Ctrl-C: stopping\.\n$/)
})
