import assert from 'node:assert/strict'
import { chmodSync, cpSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { temporaryDirectory } from '#harness/directory'
import { installedPackage, prepareBinaries } from './binaries.ts'
import { canRun, newClusterIdentity } from './identity.ts'

const identity = newClusterIdentity()

/** The package as npm leaves it when it may not run scripts: without its symbolic links. */
function packageWithoutLinks(parent: string): string {
  const folder = join(parent, 'package')
  cpSync(installedPackage(), folder, { recursive: true, verbatimSymlinks: true })
  const libraries = join(folder, 'native/lib')
  for (const name of readdirSync(libraries))
    if (lstatSync(join(libraries, name)).isSymbolicLink()) rmSync(join(libraries, name))
  return folder
}

function newDirectory(t: TestContext): string {
  const directory = temporaryDirectory()
  t.after(() => directory.remove())
  return directory.path
}

test('what an install without scripts left out is made up for in place', (t) => {
  const parent = newDirectory(t)
  const folder = packageWithoutLinks(parent)
  assert.equal(canRun(identity, join(folder, 'native/bin/postgres')), false)
  const binaries = prepareBinaries(identity, parent, folder)
  assert.equal(binaries.path('postgres'), join(folder, 'native/bin/postgres'))
  assert.equal(canRun(identity, binaries.path('postgres')), true)
})

test('a package in a closed home, or one that is not ours to complete, is copied once to where it can be run', (t) => {
  const parent = newDirectory(t)
  const home = join(parent, 'home')
  mkdirSync(home, { mode: 0o700 })
  const folder = packageWithoutLinks(home)
  chmodSync(join(folder, 'native/lib'), 0o555)

  const { path, major } = prepareBinaries(identity, parent, folder)
  assert.ok(!path('postgres').startsWith(home))
  assert.equal(canRun(identity, path('initdb')), true)
  assert.equal(major, '18')
  const madeAt = lstatSync(path('postgres')).ctimeMs
  assert.equal(lstatSync(prepareBinaries(identity, parent, folder).path('postgres')).ctimeMs, madeAt)
  assert.deepEqual(readdirSync(parent).sort(), ['home', `postgresql-${versionIn(parent)}`])
})

test('a machine without a bundled PostgreSQL is told to bring its own', (t) => {
  const folder = packageWithoutLinks(newDirectory(t))
  rmSync(join(folder, 'native/bin/postgres'))
  assert.throws(() => prepareBinaries(identity, newDirectory(t), folder), /set DATABASE_URL/)
})

const versionIn = (parent: string): string =>
  readdirSync(parent)
    .find((name) => name.startsWith('postgresql-'))
    ?.replace('postgresql-', '') ?? ''
