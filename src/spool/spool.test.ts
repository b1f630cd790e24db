import assert from 'node:assert/strict'
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { temporaryDirectory } from '#harness/directory'
import { systemClock } from '#kernel/clock'
import { Refusal, UsageError } from '#kernel/errors'
import { masterKeyOf } from '#kernel/master-key'
import { systemRandom } from '#kernel/random'
import { inThisThread, inWorker } from './in-worker.ts'
import { openSpool, type Prepared, type Spool, type SpoolOptions, type SpoolReport } from './spool.ts'

const masterKey = masterKeyOf(Buffer.alloc(32, 7))
const secret = 'zebulon.quistgaard@canary.example'

type Opened = { readonly spool: Spool; readonly reports: readonly SpoolReport[] }

async function open(directory: string, about: Partial<SpoolOptions> = {}): Promise<Opened> {
  const reports: SpoolReport[] = []
  const spool = await openSpool({
    ...inThisThread(directory),
    process: `process-${systemRandom.bytes(6).toString('hex')}`,
    masterKey,
    random: systemRandom,
    clock: systemClock,
    isFull: async () => false,
    report: (report) => void reports.push(report),
    ...about,
  })
  return { spool, reports }
}

function directoryOf(t: TestContext): string {
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  return mkdtempSync(join(directory.path, 'spool-'))
}

/** What a machine leaves that stops at this moment: the files, and nobody who holds them. */
function asLeft(directory: string): string {
  const left = mkdtempSync(join(dirname(directory), 'left-'))
  cpSync(directory, left, { recursive: true, filter: (path) => !path.endsWith('.lock') })
  return left
}

function event(key: string, n: number): Prepared {
  const json = JSON.stringify({ n, text: secret.repeat(1 + (n % 40)) })
  const attachment = n % 3 === 0 ? Buffer.from(`attachment ${n}`) : null
  return {
    events: [{ topic: 'toy', partition: 0, key, type: 'toy.asked', bytes: json.length, json, attachment }],
    keys: [],
  }
}

const nameOf = ({ events }: Prepared): string => events.map(({ key, json }) => `${key}:${JSON.parse(json).n}`).join()

/** Takes everything out, as the drain does; the names of what came, in order. */
async function takeAll(spool: Spool): Promise<string[]> {
  const names: string[] = []
  for (let batch = await spool.next(); batch; batch = await spool.next()) {
    names.push(...batch.rows.map(({ prepared }) => nameOf(prepared)))
    await batch.done(batch.rows)
  }
  return names
}

test('what was appended comes out as it was, in order, and then is gone', async (t) => {
  const { spool } = await open(directoryOf(t), await inWorker(directoryOf(t)))
  const given = Array.from({ length: 1_000 }, (_, n) => event(`key ${n % 7}`, n))
  await Promise.all(given.map((one) => spool.append(one)))
  assert.equal(spool.status().events, 1_000)
  assert.equal(spool.holds('key 3'), true)
  assert.deepEqual((await spool.first('key 3'))?.prepared, given[3])

  assert.deepEqual(await takeAll(spool), given.map(nameOf))
  const { events, bytes, oldestAt, spooled, drained } = spool.status()
  assert.deepEqual([events, bytes, oldestAt, spooled, drained], [0, 0, null, 1_000, 1_000])
  assert.equal(spool.holds('key 3'), false)
  await spool.close()
})

test('a key is held from the moment of the call on, and let go with its last row', async (t) => {
  const { spool } = await open(directoryOf(t))
  const writing = spool.append(event('key', 1))
  assert.equal(spool.holds('key'), true)
  await writing
  await spool.append(event('key', 2))
  const batch = await spool.next()
  const [first, second] = batch?.rows ?? []
  assert.ok(batch && first && second)
  await batch.done([first])
  assert.equal(spool.holds('key'), true)
  await batch.done([second])
  assert.equal(spool.holds('key'), false)
  await spool.close()
})

test('what a process left that died is taken over, before what is our own; a living one keeps its own', async (t) => {
  const directory = directoryOf(t)
  const dead = await open(directory)
  await dead.spool.append(event('key', 1))
  const left = asLeft(directory)
  const living = await open(left)
  assert.deepEqual(
    living.reports.map(({ kind }) => kind),
    ['adopted'],
  )
  await living.spool.append(event('key', 2))

  const another = await open(left)
  assert.deepEqual([another.spool.status().events, another.reports], [0, []])
  assert.deepEqual(await takeAll(living.spool), ['key:1', 'key:2'])
  for (const { spool } of [living, another, dead]) await spool.close()
  assert.deepEqual(globSync('*', { cwd: left }), [])
})

test('a living process finds what another leaves behind meanwhile', async (t) => {
  const directory = directoryOf(t)
  const { spool } = await open(directory)
  const leaving = await open(directory)
  await leaving.spool.append(event('key', 1))
  await spool.adopt()
  assert.equal(spool.status().events, 0)
  await leaving.spool.close()
  await spool.adopt()
  assert.deepEqual(await takeAll(spool), ['key:1'])
  await spool.close()
})

test('with the disk nearly full nothing is taken, and nothing of the key is held', async (t) => {
  let isFull = true
  const { spool } = await open(directoryOf(t), { isFull: async () => isFull })
  await assert.rejects(spool.append(event('key', 1)), (error) => error instanceof Refusal && error.code === 'disk_full')
  assert.deepEqual([spool.holds('key'), spool.status().refused, await spool.isOpen()], [false, 1, false])
  isFull = false
  await spool.append(event('key', 2))
  assert.deepEqual(await takeAll(spool), ['key:2'])
  await spool.close()
})

test('a disk that fails refuses by name, and is used again when it works', async (t) => {
  const opened = inThisThread(directoryOf(t))
  let fails = true
  const append: typeof opened.files.append = (name, rows) =>
    fails ? Promise.reject(new Error('disk I/O error')) : opened.files.append(name, rows)
  const { spool, reports } = await open(directoryOf(t), { ...opened, files: { ...opened.files, append } })
  await assert.rejects(
    spool.append(event('key', 1)),
    (error) => error instanceof Refusal && error.code === 'log_unavailable',
  )
  assert.deepEqual(
    reports.map(({ kind }) => kind),
    ['fault'],
  )
  fails = false
  await spool.append(event('key', 2))
  assert.deepEqual(await takeAll(spool), ['key:2'])
  await spool.close()
})

test('a thread that has ended takes nothing, and nobody waits for it', async (t) => {
  const opened = await inWorker(directoryOf(t))
  const { spool } = await open(directoryOf(t), opened)
  await spool.append(event('key', 1))
  await opened.close()
  assert.equal(await spool.isOpen(), false)
  await assert.rejects(
    spool.append(event('key', 2)),
    (error) => error instanceof Refusal && error.code === 'log_unavailable',
  )
})

test('a spool of another master key is refused in one line, and left as it is', async (t) => {
  const directory = directoryOf(t)
  const { spool } = await open(directory)
  await spool.append(event('key', 1))
  const left = asLeft(directory)
  await assert.rejects(open(left, { masterKey: masterKeyOf(Buffer.alloc(32, 8)) }), UsageError)
  const again = asLeft(left)
  const right = await open(again)
  assert.deepEqual(await takeAll(right.spool), ['key:1'])
  await right.spool.close()
  await spool.close()
})

test('nothing lies in clear in its files, not even a key', async (t) => {
  const directory = directoryOf(t)
  const { spool } = await open(directory)
  for (let n = 0; n < 50; n++) await spool.append(event('pay_0123456789', n))
  const found = globSync('*', { cwd: directory }).flatMap((name) => {
    const bytes = readFileSync(join(directory, name))
    return [secret, 'pay_0123456789', 'toy.asked', 'attachment'].filter((text) => bytes.includes(text))
  })
  assert.deepEqual(found, [])
  await spool.close()
})

test('whatever byte of its files is changed, what still comes out is as it was, and what does not is told of', async (t) => {
  const directory = directoryOf(t)
  const { spool } = await open(directory)
  const given = Array.from({ length: 60 }, (_, n) => event(`key ${n}`, n))
  for (const one of given.slice(0, 40)) await spool.append(one)
  // Some of it has moved from the write-ahead log into the file, and some has not.
  const [name = ''] = globSync('*.spool', { cwd: directory })
  const beside = new DatabaseSync(join(directory, name))
  beside.exec('pragma wal_checkpoint(truncate)')
  beside.close()
  for (const one of given.slice(40)) await spool.append(one)
  const whole = asLeft(directory)
  await spool.close()
  const bytes = globSync('*{.spool,-wal}', { cwd: whole }).flatMap((file) =>
    Array.from({ length: statSync(join(whole, file)).size }, (_, at) => ({ file, at })),
  )
  const anyByte = fc.oneof(
    fc.nat(bytes.length - 1),
    fc.nat(200),
    fc.nat(bytes.length - 1).map((at) => at & ~4095),
  )

  const property = fc.asyncProperty(anyByte, fc.integer({ min: 1, max: 255 }), async (place, mask) => {
    const { file, at } = bytes[place] ?? { file: '', at: 0 }
    const damaged = asLeft(whole)
    const content = readFileSync(join(damaged, file))
    content.writeUInt8((content[at] ?? 0) ^ mask, at)
    writeFileSync(join(damaged, file), content)
    await comesOutOrIsTold(damaged, given)
    rmSync(damaged, { recursive: true })
  })
  await fc.assert(property, { numRuns: 40 })
})

async function comesOutOrIsTold(directory: string, given: readonly Prepared[]): Promise<void> {
  const opened = await open(directory).catch((error) => {
    if (error instanceof UsageError) return undefined
    throw error
  })
  if (!opened) return
  const taken = await takeAll(opened.spool)
  const names = given.map(nameOf)
  assert.deepEqual(
    taken,
    names.filter((name) => taken.includes(name)),
  )
  const { corrupt } = opened.spool.status()
  assert.ok(
    taken.length === names.length || corrupt > 0,
    `${names.length - taken.length} are missing, and nothing is said`,
  )
  await opened.spool.close()
}
