import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { UsageError } from './errors.ts'
import { loadMasterKey } from './master-key.ts'
import { systemRandom } from './random.ts'

test('a missing master key is made for its owner only, and read again as the same', async (t) => {
  const path = join(await directory(t), 'data', 'master.key')
  const made = await loadMasterKey(path, systemRandom)
  const read = await loadMasterKey(path, systemRandom)
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.match(await readFile(path, 'utf8'), /^[A-Za-z0-9+/]{43}=\n$/)
  assert.ok(made.derive('a').equals(read.derive('a')))
  assert.ok(!made.derive('a').equals(made.derive('b')))
})

test('processes that start at once use one key and leave one file', async (t) => {
  const home = await directory(t)
  const keys = await Promise.all(
    Array.from({ length: 10 }, () => loadMasterKey(join(home, 'master.key'), systemRandom)),
  )
  assert.equal(new Set(keys.map((key) => key.derive('a').export().toString('hex'))).size, 1)
  assert.deepEqual(await readdir(home), ['master.key'])
})

const valid = Buffer.alloc(32, 9).toString('base64')
const refused = [
  ['that others can read', (path: string) => writeFile(path, valid).then(() => chmod(path, 0o640)), /chmod 600/],
  ['of 31 bytes', (path: string) => keyFile(path, Buffer.alloc(31).toString('base64')), /32 bytes/],
  ['of 33 bytes', (path: string) => keyFile(path, Buffer.alloc(33).toString('base64')), /32 bytes/],
  ['that is empty', (path: string) => keyFile(path, ''), /32 bytes/],
  ['in hexadecimal', (path: string) => keyFile(path, Buffer.alloc(32, 9).toString('hex')), /32 bytes/],
  ['with something before it', (path: string) => keyFile(path, `key: ${valid}`), /32 bytes/],
  ['that is a directory', (path: string) => mkdir(path, { mode: 0o700 }), /not a file/],
] as const

for (const [what, prepare, why] of refused) {
  test(`a master key ${what} is refused in one line that names the file`, async (t) => {
    const path = join(await directory(t), 'master.key')
    await prepare(path)
    await assert.rejects(loadMasterKey(path, systemRandom), (error) => {
      assert.ok(error instanceof UsageError)
      assert.match(error.message, why)
      assert.ok(error.message.includes(path) && !error.message.includes('\n') && !error.message.includes(valid))
      return true
    })
  })
}

test('a place where no file can be made is refused in one line', async (t) => {
  const file = join(await directory(t), 'file')
  await writeFile(file, '')
  await assert.rejects(loadMasterKey(join(file, 'master.key'), systemRandom), UsageError)
})

function keyFile(path: string, text: string): Promise<void> {
  return writeFile(path, text, { mode: 0o600 })
}

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-key-'))
  t.after(() => rm(path, { recursive: true }))
  return path
}
