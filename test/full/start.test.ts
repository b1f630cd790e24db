import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { temporaryDirectory } from '#harness/directory'
import { type MillraceProcess, runMillrace } from '#harness/millrace'
import { until } from '#harness/until'
import { systemClock } from '#kernel/clock'
import { systemFetch } from '#kernel/fetch'

// What `npm start` promises, with real processes, signals and files.

function directoryOf(t: TestContext): string {
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  return directory.path
}

/** A command in the directory, killed when the test ends. The data lies right below, where the directory's guard looks. */
function run(t: TestContext, cwd: string, args: string[], env: Record<string, string> = {}): MillraceProcess {
  const settings = { MILLRACE_DATA_DIR: cwd, MILLRACE_PORT: '0', MILLRACE_LOG_LEVEL: 'error', ...env }
  return runMillrace(t, { cwd, args, settings })
}

async function start(t: TestContext, cwd: string, env: Record<string, string> = {}): Promise<MillraceProcess> {
  const process = run(t, cwd, ['start'], env)
  await until(
    'the platform is ready',
    () => process.out().includes('Ctrl-C stops it.') || process.child.exitCode !== null,
    60_000,
  )
  assert.equal(process.child.exitCode, null, process.err())
  return process
}

async function pay(t: TestContext, url: string, apiKey: string, idempotencyKey: string) {
  const { fetch, close } = systemFetch(systemClock)
  t.after(close)
  const headers = {
    authorization: `Bearer ${apiKey}`,
    'content-type': 'application/json',
    'idempotency-key': idempotencyKey,
  }
  const body = '{"amount":1999,"currency":"EUR","merchant":"mer_main","payment_method":"pm_sim_approve"}'
  const answer = await fetch({ method: 'POST', url: `${url}/v1/payments`, headers, body, timeoutMs: 10_000 })
  return { status: answer.status, id: String(JSON.parse(answer.body).id) }
}

test('it starts, keeps its secrets to itself, drains on Ctrl-C and stops PostgreSQL', async (t) => {
  const cwd = directoryOf(t)
  const platform = await start(t, cwd)
  for (const name of ['api-key', 'master.key', 'simulated.webhook-secret']) {
    assert.equal(statSync(join(cwd, name)).mode & 0o777, 0o600, name)
  }
  const apiKey = readFileSync(join(cwd, 'api-key'), 'utf8').trim()
  assert.equal((await pay(t, platform.url(), apiKey, 'one')).status, 202)
  assert.ok(!platform.out().includes(apiKey))

  platform.child.kill('SIGINT')
  assert.equal(await platform.ended, 0)
  assert.match(platform.out(), /Stopped\. PostgreSQL is stopped too; the data stays\.\n$/)
  assert.throws(() => statSync(join(cwd, 'postgres/postmaster.pid')), { code: 'ENOENT' })
})

test('a second start on the same data says so and leaves the first alone; commands work beside it', async (t) => {
  const cwd = directoryOf(t)
  const first = await start(t, cwd)
  const second = run(t, cwd, ['start'])
  assert.equal(await second.ended, 1)
  assert.match(second.err(), /^.* is in use by another running Millrace: stop it, or choose another directory\.\n$/)

  const apiKey = readFileSync(join(cwd, 'api-key'), 'utf8').trim()
  const { id } = await pay(t, first.url(), apiKey, 'one')
  await until('the payment is booked', async () => /1 entries|2 entries/.test(await outputOf(t, cwd, 'verify')), 30_000)
  assert.match(await outputOf(t, cwd, 'events', 'show', id), /"type": "payment\.captured"/)
  assert.match(await outputOf(t, cwd, 'keys', 'list'), /main +test .* valid/)
  first.child.kill('SIGTERM')
  assert.equal(await first.ended, 0)
  assert.match(await outputOf(t, cwd, 'verify'), /^All is well/)
  assert.throws(() => statSync(join(cwd, 'postgres/postmaster.pid')), { code: 'ENOENT' })
})

async function outputOf(t: TestContext, cwd: string, ...args: string[]): Promise<string> {
  const command = run(t, cwd, args)
  assert.equal(await command.ended, 0, command.err())
  return command.out()
}

test('after kill -9 the next start takes PostgreSQL over, and what was accepted is there', async (t) => {
  const cwd = directoryOf(t)
  const killed = await start(t, cwd)
  const apiKey = readFileSync(join(cwd, 'api-key'), 'utf8').trim()
  const before = await pay(t, killed.url(), apiKey, 'one')
  killed.child.kill('SIGKILL')
  await killed.ended

  const next = await start(t, cwd)
  assert.match(next.out(), /taken over from a process that was killed/)
  const again = await pay(t, next.url(), apiKey, 'one')
  assert.deepEqual(again, { status: 202, id: before.id })
  next.child.kill('SIGINT')
  assert.equal(await next.ended, 0)
})

test('a second Ctrl-C ends it at once with PostgreSQL, and the next start has what was accepted', async (t) => {
  const cwd = directoryOf(t)
  const impatient = await start(t, cwd)
  const apiKey = readFileSync(join(cwd, 'api-key'), 'utf8').trim()
  const before = await pay(t, impatient.url(), apiKey, 'one')
  await askHalf(t, impatient.url(), apiKey)
  assert.equal(await stopTwice(impatient), 130)
  assert.equal(impatient.err(), 'Stopped at once. The data stays: the next start goes on where this one was.\n')
  await until('PostgreSQL has ended', () => !existsSync(join(cwd, 'postgres/postmaster.pid')))

  const next = await start(t, cwd)
  const again = await pay(t, next.url(), apiKey, 'one')
  assert.deepEqual(again, { status: 202, id: before.id })
})

/** A request whose end never comes: the first Ctrl-C waits for it. */
async function askHalf(t: TestContext, url: string, apiKey: string): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  t.after(() => socket.destroy())
  const headers = ['Host: x', `Authorization: Bearer ${apiKey}`, 'Content-Type: application/json', 'Content-Length: 99']
  socket.write(['POST /v1/payments HTTP/1.1', ...headers, 'Expect: 100-continue', '', ''].join('\r\n'))
  await once(socket, 'data')
}

/** Signals within a second of the first are its echo. */
async function stopTwice({ child, ended }: MillraceProcess): Promise<number | null> {
  const askedMs = systemClock.monotonicMs()
  child.kill('SIGINT')
  await until('an echo is out of the question', () => systemClock.monotonicMs() - askedMs > 1_100)
  child.kill('SIGINT')
  return ended
}

test('who reads no further leaves no PostgreSQL behind', async (t) => {
  const cwd = directoryOf(t)
  const platform = run(t, cwd, ['start'])
  platform.child.stdout?.destroy()
  await platform.ended
  assert.ok(existsSync(join(cwd, 'postgres/PG_VERSION')))
  await until('PostgreSQL has ended', () => !existsSync(join(cwd, 'postgres/postmaster.pid')))
})

test('a taken port is named, and PostgreSQL does not stay behind', async (t) => {
  const cwd = directoryOf(t)
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const refused = run(t, cwd, ['start'], { MILLRACE_PORT: String(port) })
  assert.equal(await refused.ended, 1)
  assert.equal(
    refused.err(),
    `Port ${port} on 127.0.0.1 is taken: stop what uses it, or set MILLRACE_PORT to another port.\n`,
  )
  assert.throws(() => statSync(join(cwd, 'postgres/postmaster.pid')), { code: 'ENOENT' })
})

test('bad settings and an unreachable database are one line each', async (t) => {
  const cwd = directoryOf(t)
  const rows: [env: Record<string, string>, code: number, line: RegExp][] = [
    [{ MILLRACE_PORT: 'eighty' }, 2, /^MILLRACE_PORT must be a whole number from 0 \(any free port\) to 65535\.\n$/],
    [{ MILLRACE_PROT: '1' }, 2, /^MILLRACE_PROT is not a setting\. Did you mean MILLRACE_PORT\?\n$/],
    [
      { DATABASE_URL: 'postgres://me:pw@127.0.0.1:1/x' },
      1,
      /^The database cannot be reached \(ECONNREFUSED\): [^\n]*\n$/,
    ],
    [{ MILLRACE_DATA_DIR: '/dev/null/data' }, 2, /^[^\n]+\n$/],
  ]
  for (const [env, code, line] of rows) {
    const refused = run(t, cwd, ['start'], env)
    assert.equal(await refused.ended, code, refused.err())
    assert.match(refused.err(), line)
  }
})

test('a small demo ends by itself, and adds up', async (t) => {
  const cwd = directoryOf(t)
  const demo = run(t, cwd, ['demo', '--payments', '20', '--seed', '3'])
  assert.equal(await demo.ended, 0, `${demo.out()}${demo.err()}`)
  assert.match(demo.out(), /Every figure adds up\.\n$/)
  assert.ok(!demo.out().includes('WRONG'))
})

test('a demo that is stopped says so, and nothing stays behind', async (t) => {
  for (const options of [[], ['--keep']]) {
    const cwd = directoryOf(t)
    const env = { TMPDIR: cwd, MILLRACE_DATA_DIR: '' }
    const demo = run(t, cwd, ['demo', '--payments', '2000', ...options], env)
    await until('PostgreSQL runs', () =>
      demosIn(cwd).some((name) => existsSync(join(cwd, name, 'postgres/PG_VERSION'))),
    )
    await until('it takes signals', () => existsSync(join(cwd, demosIn(cwd)[0] ?? '', 'master.key')))
    // How far it has come, and so whether there is time for a second signal, depends on the machine.
    const code = await stopTwice(demo)
    const first = 'Stopped before the end: nothing was compared. Ending what is under way …\n'
    const second = 'Stopped at once. Nothing of it stays.\n'
    assert.ok((code === 130 ? [second, first + second] : [first]).includes(demo.err()), `${code}: ${demo.err()}`)
    assert.deepEqual(demosIn(cwd), [])
  }
})

test('a demo that cannot start leaves nothing behind', async (t) => {
  const cwd = directoryOf(t)
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const env = { TMPDIR: cwd, MILLRACE_DATA_DIR: '', MILLRACE_PORT: String(port) }
  const demo = run(t, cwd, ['demo', '--keep', '--payments', '5'], env)
  assert.equal(await demo.ended, 1)
  assert.match(demo.err(), /^Port \d+ on 127\.0\.0\.1 is taken: [^\n]*\n$/)
  assert.deepEqual(demosIn(cwd), [])
})

test('a demo that is kept says where it is, and ends on Ctrl-C', async (t) => {
  const cwd = directoryOf(t)
  const env = { TMPDIR: cwd, MILLRACE_DATA_DIR: '' }
  const demo = run(t, cwd, ['demo', '--keep', '--payments', '5'], env)
  await until('it is left running', () => demo.out().includes('Ctrl-C stops it.'), 60_000)
  assert.match(demo.out(), /Still running: http:\/\/127\.0\.0\.1:\d+, API key in \S+\/api-key\./)
  demo.child.kill('SIGINT')
  assert.equal(await demo.ended, 0)
  assert.match(demo.out(), /Stopped\. Nothing of it stays\.\n$/)
  assert.deepEqual(demosIn(cwd), [])
})

const demosIn = (directory: string): string[] =>
  readdirSync(directory).filter((name) => name.startsWith('millrace-demo-'))
