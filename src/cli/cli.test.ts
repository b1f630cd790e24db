import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { acquireServer, createDatabase } from '#harness/database'
import { temporaryDirectory } from '#harness/directory'
import { commandEnv } from '#harness/millrace'
import { StartFailure } from '#kernel/postgres/start'
import { explainDatabase } from './database-failure.ts'

const program = join(import.meta.dirname, 'main.ts')

function shellIn(t: TestContext, env: Record<string, string> = {}) {
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  return (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
      cwd: directory.path,
      env: { ...commandEnv, ...env },
      encoding: 'utf8',
      timeout: 20_000,
    })
    return { code: status, out: stdout, err: stderr }
  }
}

const mistakes: [args: string[], line: RegExp][] = [
  [['strat'], /^strat is not a command\. Did you mean start\?\n$/],
  [['wobble'], /^wobble is not a command\. See: millrace --help\n$/],
  [['events', 'tial'], /^millrace events is one of: events tail, events show\.\n$/],
  [['demo', '--paymets', '3'], /^--paymets is not an option of millrace demo\. Did you mean --payments\?\n$/],
  [['demo', '--payments', 'many'], /^--payments must be a whole number from 1 to 100000\.\n$/],
  [['demo', '--keep=yes'], /^--keep takes no value\.\n$/],
  [['events', 'tail', '--topic'], /^--topic needs a value: --topic TOPIC\.\n$/],
  [['events', 'show'], /^ID is missing\. Usage: millrace events show ID\n$/],
  [['verify', 'all'], /^millrace verify takes no arguments\. Usage: millrace verify\n$/],
  [['parked', 'retry'], /^Name the group whose keys to retry, or say --all\./],
  [['keys', 'create', '--tenant', 'A-B', '--mode', 'test'], /^--tenant must begin with a small letter/],
  [['keys', 'create', '--tenant', 'acme'], /^--mode must be test or live\.\n$/],
  [['demo', '--corpus', '/nowhere'], /^--corpus needs a directory with stripe\/events/],
]

test('every mistake in calling a command is told in one line, with exit code 2', (t) => {
  const millrace = shellIn(t)
  for (const [args, line] of mistakes) {
    const { code, out, err } = millrace(...args)
    assert.deepEqual([code, out], [2, ''], args.join(' '))
    assert.match(err, line)
    assert.equal(err.trimEnd().split('\n').length, 1)
  }
})

test('help and version are there without any data', (t) => {
  const millrace = shellIn(t)
  const help = millrace('--help')
  assert.equal(help.code, 0)
  for (const command of ['start', 'demo', 'verify', 'events tail', 'parked retry', 'keys create', 'asyncapi']) {
    assert.match(help.out, new RegExp(`^  ${command}`, 'm'))
    assert.match(millrace(...command.split(' '), '--help').out, new RegExp(`^millrace ${command}: `))
  }
  assert.match(millrace('--version').out, /^\d+\.\d+\.\d+\n$/)
})

test('documents need no database, and secrets are masked in the settings', (t) => {
  const millrace = shellIn(t, { DATABASE_URL: 'postgres://me:hunter2@127.0.0.1:1/x' })
  assert.match(millrace('topology').out, /^flowchart LR\n[\s\S]*door -->\|payments\.inbox\| payments_decide\n/)
  assert.equal(JSON.parse(millrace('asyncapi').out).asyncapi, '3.0.0')
  const { code, out } = millrace('config')
  assert.deepEqual([code, JSON.parse(out).databaseUrl], [0, 'postgres://127.0.0.1:1/x'])
})

test('without data, a database or a Millrace in it, the line says what to do', async (t) => {
  const nothing = shellIn(t)('verify')
  assert.equal(nothing.code, 1)
  assert.match(nothing.err, /^There is no data in .* yet: run `millrace start` first/)
  const away = shellIn(t, { DATABASE_URL: 'postgres://me:secret@127.0.0.1:1/x' })('verify')
  assert.deepEqual([away.code, away.err.includes('secret')], [1, false])
  assert.match(away.err, /^The database cannot be reached \(ECONNREFUSED\): check DATABASE_URL/)
  const empty = shellIn(t, { DATABASE_URL: (await createDatabase(t)).url })('verify')
  assert.deepEqual(
    [empty.code, empty.err],
    [1, 'This database holds no Millrace yet: run `millrace start` on it first.\n'],
  )
  const missing = (await acquireServer()).replace(/\/postgres$/, '/nothing')
  const absent = shellIn(t, { DATABASE_URL: missing })('keys', 'list')
  assert.deepEqual(
    [absent.code, absent.err],
    [1, 'There is no such database: create it, or check the name in DATABASE_URL.\n'],
  )
})

test('what the database cannot do for want of something is told in one line, and a bug stays a bug', () => {
  const failed = (code: string): Error => Object.assign(new Error('could not extend file'), { code })
  for (const [code, line] of [
    ['53100', /^The disk that holds the database is full: free some space/],
    ['25006', /^This database takes no writes: /],
    ['53300', /^The database has no connection left for us: /],
  ] as const) {
    const told = explainDatabase(failed(code))
    assert.ok(told instanceof StartFailure)
    assert.match(told.message, line)
  }
  const bug = failed('42601')
  assert.equal(explainDatabase(bug), bug)
})
