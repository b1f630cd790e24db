import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { cp, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkBackup, checkWal, listBackups, pruneBackups } from '#backup'
import { type BackedUp, openBackedUp } from '#harness/backups'

// A backup is worth what can be restored from it: what was changed in it is found, and nothing is made of it.

test('a flipped byte anywhere in a backup is found, and nothing is restored from it', async (t) => {
  const original = await openBackedUp(t)
  const { name } = await original.takeBackup()
  const places: [file: string, says: RegExp][] = [
    ['backup.json', /backup\.json is damaged/],
    ['base.tar.zst', /cannot be used: base\.tar\.zst is damaged/],
    ['backup_manifest', /cannot be used: backup_manifest is damaged/],
  ]
  for (const [file, says] of places) {
    const directory = join(original.parent, `with-${file}`)
    await cp(original.directory, directory, { recursive: true })
    await flipByte(join(directory, name, file))
    await assert.rejects(original.restore({ directory, name: 'never' }), says)
    await assert.rejects(async () => {
      for (const backup of await listBackups(directory)) await checkBackup(backup)
    }, says)
  }
  assert.deepEqual(await remainsOf(original, 'never'), [])
})

test('a missing or shortened file of a backup is found', async (t) => {
  const original = await openBackedUp(t)
  const { name } = await original.takeBackup()
  const archive = join(original.directory, name, 'base.tar.zst')
  const { size } = await stat(archive)
  const whole = await readFile(archive)
  await truncate(archive, size - 1)
  await assert.rejects(original.restore(), new RegExp(`base.tar.zst has ${size - 1} bytes and should have ${size}`))
  await rm(archive)
  await assert.rejects(original.restore(), /base\.tar\.zst is missing/)
  await writeFile(archive, whole)
  await original.restore()
})

test('damaged WAL is found, and what lies before it can be restored', async (t) => {
  const original = await openBackedUp(t)
  const { app } = original
  const following = await original.follow()
  await app.rows('create table kept (n int)')
  const { about } = await original.takeBackup()
  await app.rows('insert into kept values (1)')
  const before = await original.now()
  // PostgreSQL stops at an instant only where it sees something after it.
  await app.rows('create table after ()')
  await app.rows('select pg_switch_wal()')
  await app.rows('insert into kept values (2)')
  await app.rows('select pg_switch_wal()')
  await app.rows('insert into kept values (3)')
  await following.caughtUp()
  await following.stop()
  assert.deepEqual((await checkWal(original.directory, about)).findings, [])

  const wal = join(original.directory, 'wal', about.system)
  const segments = (await readdir(wal)).filter((file) => file.endsWith('.zst')).sort()
  const second = join(wal, segments.at(-1) ?? '')
  const whole = await readFile(second)
  await flipByte(second)
  assert.match((await checkWal(original.directory, about)).findings.join(), /\.zst is damaged$/)
  await assert.rejects(original.restore(), /\.zst is damaged: name an instant before that WAL with --at/)
  await rm(second)
  assert.match((await checkWal(original.directory, about)).findings.join(), /the WAL segment \w+ is missing/)
  const restored = await original.open(await original.restore({ at: before }))
  assert.deepEqual(await restored.rows('select n from kept'), [{ n: 1 }])
  await writeFile(second, whole)
  const all = await original.open(await original.restore())
  assert.deepEqual(await all.rows('select n from kept'), [{ n: 1 }, { n: 2 }, { n: 3 }])
})

test('another master key, and a damaged register of erasures, are refused before anything is made', async (t) => {
  const original = await openBackedUp(t)
  await original.takeBackup()
  const refused = /The master key is not the one that \w+ was made under: put back the one that was kept apart/
  await assert.rejects(original.restore({ answer: 'another', name: 'never' }), refused)

  await original.app.app.seal.erase('main', 'person:one')
  const register = join(original.directory, 'erasures.jsonl')
  const text = await readFile(register, 'utf8')
  await writeFile(register, text.replace('person:one', 'person:two'))
  await assert.rejects(original.restore({ name: 'never' }), /Line 1 of .*erasures\.jsonl is damaged/)
  // Cut short in the middle of a line that nobody was answered for.
  await writeFile(register, `${text}{"tenant":"main","subj`)
  await original.restore()
  assert.deepEqual(await remainsOf(original, 'never'), [])
})

test('a directory that has something in it is left alone', async (t) => {
  const original = await openBackedUp(t)
  await original.takeBackup()
  const restored = await original.restore({ name: 'first' })
  await assert.rejects(original.restore({ name: 'first' }), /first is not empty: move it away first/)
  const app = await original.open(restored)
  await assert.rejects(
    original.restore({ name: 'first' }),
    /A server runs on .*first: stop it, and move the directory away/,
  )
  assert.deepEqual(await app.rows('select 1 as one'), [{ one: 1 }])
})

test('old backups go with the WAL that only they needed', async (t) => {
  const original = await openBackedUp(t)
  const { app } = original
  const following = await original.follow()
  await app.rows('create table kept (n int)')
  const names: string[] = []
  for (let n = 1; n <= 3; n++) {
    names.push((await original.takeBackup()).name)
    await app.rows(`insert into kept values (${n})`)
    await app.rows('select pg_switch_wal()')
  }
  await following.caughtUp()
  await following.stop()
  const { about } = (await listBackups(original.directory)).at(-1) ?? assert.fail()
  const before = (await checkWal(original.directory, about)).segments
  assert.deepEqual(await pruneBackups(original.directory, 1), names.slice(0, 2))
  const after = await checkWal(original.directory, about)
  assert.ok(after.segments > 0 && after.segments < before, `${after.segments} of ${before}`)
  assert.deepEqual(after.findings, [])
  const restored = await original.open(await original.restore())
  assert.deepEqual(await restored.rows('select n from kept'), [{ n: 1 }, { n: 2 }, { n: 3 }])
})

async function flipByte(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    const { size } = await file.stat()
    const place = Math.floor(size / 2)
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, place)
    await file.write(Buffer.of((buffer[0] ?? 0) ^ 1), 0, 1, place)
  } finally {
    await file.close()
  }
}

/** What was made in vain of a restore. */
async function remainsOf({ parent }: BackedUp, name: string): Promise<string[]> {
  const left = (await readdir(parent)).filter((file) => file.startsWith(name) && file !== `${name}.lock`)
  assert.equal(existsSync(join(parent, name)), false)
  return left
}
