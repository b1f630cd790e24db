import assert from 'node:assert/strict'
import { type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { temporaryDirectory } from '#harness/directory'
import { until } from '#harness/until'
import { root } from '../repository.ts'

// What `npm publish` would send, installed as its user would: packed from this checkout, put into an empty directory
// without what only development needs and without running anybody's install script, and used from there.

const directory = temporaryDirectory()
after(() => directory.remove())
const home = join(directory.path, 'home')
const installed = join(home, 'node_modules/millrace')
const launcher = join(home, 'node_modules/.bin/millrace')

/** For all that these programs need, and nothing of the npm that may run this test. */
const env = { PATH: process.env.PATH, HOME: process.env.HOME }

const MEGABYTE = 1024 * 1024
const TARBALL_BYTES_MAX = MEGABYTE
/** Of which the runtime is 210 MB and PostgreSQL 60. */
const INSTALLED_BYTES_MAX = 400 * MEGABYTE

type Packed = { filename: string; size: number; files: { path: string }[] }
let packed: Packed

before(async () => {
  const manifest = readFileSync(join(root, 'package.json'), 'utf8')
  const told = await outputOf('npm', ['pack', '--json', '--pack-destination', directory.path], { cwd: root })
  const [one]: Packed[] = JSON.parse(told)
  assert.ok(one, told)
  packed = one
  assert.equal(readFileSync(join(root, 'package.json'), 'utf8'), manifest)
  assert.ok(!existsSync(join(root, 'dist')), 'packing leaves nothing in the checkout')

  mkdirSync(home)
  const tarball = join(directory.path, packed.filename)
  const flags = ['--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']
  // Dependencies come from the registry, or from npm's cache where they lie already: without both this fails, and npm
  // says what it could not reach.
  await outputOf('npm', ['install', ...flags, tarball], { cwd: home })
})

test('the package holds the compiled code, its migrations and a launcher, and nothing else', () => {
  const files = packed.files.map(({ path }) => path)
  const allowed = /^(?:dist\/.+\.(?:js|sql|css)|(?:dist\/)?package\.json|bin\/.+\.js|[A-Z]+(?:\.md)?)$/
  const launching = ['scripts/follow-parent.js', 'scripts/runtime.js']
  assert.deepEqual(
    files.filter((path) => !allowed.test(path) && !launching.includes(path)),
    [],
  )
  assert.deepEqual(
    files.filter((path) => /test|harness|bench|conformance|generated/.test(path)),
    [],
  )
  assert.ok(packed.size < TARBALL_BYTES_MAX, `${packed.size} bytes`)

  const inPackage = files.filter((path) => path.endsWith('.sql')).map((path) => path.replace('dist/', ''))
  const migrations = filesBelow(join(root, 'src')).filter((path) => path.endsWith('.sql'))
  assert.deepEqual(inPackage.sort(), migrations.sort())
})

test('every line of the compiled code stands where it stands in the source', () => {
  const compiled = filesBelow(join(installed, 'dist')).filter((path) => path.endsWith('.js'))
  assert.ok(compiled.length > 100)
  for (const path of compiled) {
    const text = readFileSync(join(installed, 'dist', path), 'utf8')
    const source = readFileSync(join(root, 'src', path.replace(/\.js$/, '.ts')), 'utf8')
    assert.deepEqual(lengthsOf(text), lengthsOf(source), path)
  }
})

test('what is only for development stays away, and the whole is of the size we know', (t) => {
  const names = readdirSync(join(home, 'node_modules'))
  assert.deepEqual(
    names.filter((name) => ['typescript', 'fast-check', 'stripe', 'knip', '@biomejs', 'oxlint'].includes(name)),
    [],
  )
  const bytes = bytesBelow(home)
  t.diagnostic(`tarball ${packed.size} bytes, installed ${Math.round(bytes / MEGABYTE)} MB`)
  assert.ok(bytes < INSTALLED_BYTES_MAX, `${bytes} bytes`)
})

test('the image has the runtime that the package pins', () => {
  const manifest: { optionalDependencies: Record<string, string> } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  )
  const images = [...readFileSync(join(root, 'deploy/Dockerfile'), 'utf8').matchAll(/^FROM node:([\d.]+)-/gm)]
  assert.deepEqual(new Set(images.map(([, version]) => version)), new Set(Object.values(manifest.optionalDependencies)))
})

test('npx finds the command, and it tells its version', async () => {
  const { version }: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  assert.equal(await outputOf('npx', ['millrace', '--version'], { cwd: home }), `${version}\n`)
})

test('an ordinary user starts it by a configuration of their own, and stops it', async (t) => {
  // npm writes "commonjs" into a manifest it makes: the configuration's name says what it is itself.
  const cwd = join(directory.path, 'operator')
  mkdirSync(cwd, { mode: 0o755 })
  writeFileSync(join(cwd, 'package.json'), '{ "type": "commonjs" }')
  writeFileSync(
    join(cwd, 'millrace.config.mts'),
    "const port: number = 0\nexport default { port, dataDir: '.', logLevel: 'error' }\n",
  )
  const user = await ordinaryUser()
  if (user) chownSync(cwd, user.uid, user.gid)
  const child = spawn(launcher, ['start'], { cwd, env: { PATH: process.env.PATH, HOME: cwd }, ...user, stdio: 'pipe' })
  t.after(() => child.kill('SIGKILL'))
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      text += data
    })
  }
  const ended = once(child, 'close')
  await until('it is ready', () => text.includes('Ctrl-C stops it.') || child.exitCode !== null, 60_000)
  assert.equal(child.exitCode, null, text)
  const answer = await fetch(`${/ready: (\S+)/.exec(text)?.[1]}/readyz`)
  assert.equal(answer.status, 200)
  if (user) assert.equal(statSync(join(cwd, 'postgres')).uid, user.uid)
  child.kill('SIGINT')
  assert.deepEqual(await ended, [0, null], text)
  assert.match(text, /Stopped\. PostgreSQL is stopped too; the data stays\.\n$/)
})

test('npx plays the demo, and it adds up', async () => {
  const told = await outputOf('npx', ['millrace', 'demo', '--payments', '20', '--seed', '5'], { cwd: home })
  assert.match(told, /Every figure adds up\.\n$/)
})

/** What the program wrote, once it has ended well; else all it wrote, as the test's failure. */
async function outputOf(program: string, args: readonly string[], options: SpawnOptions): Promise<string> {
  const child = spawn(program, args, { env, ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  const text = { out: '', err: '' }
  child.stdout?.on('data', (data) => {
    text.out += data
  })
  child.stderr?.on('data', (data) => {
    text.err += data
  })
  const [code] = await once(child, 'close')
  assert.equal(code, 0, `${program} ${args.join(' ')} ended with ${code}:\n${text.err}${text.out}`)
  return text.out
}

/** Somebody else than root, where we are root. */
async function ordinaryUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const idOf = async (which: string): Promise<number> => Number(await outputOf('id', [which, 'nobody'], {}))
  return { uid: await idOf('-u'), gid: await idOf('-g') }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
}

function bytesBelow(folder: string): number {
  return filesBelow(folder).reduce((sum, path) => sum + statSync(join(folder, path)).size, 0)
}

function lengthsOf(text: string): number[] {
  return text.split('\n').map((line) => line.length)
}
