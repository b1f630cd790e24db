import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { temporaryDirectory } from './directory.ts'
import { findTests, type Selection, selectTests } from './select.ts'
import { startTestServer } from './server.ts'

// The test command: one PostgreSQL for all files, then Node's own runner on what was asked for.

const root = join(import.meta.dirname, '../..')
const selection = selectTests(process.argv.slice(2), findTests(root), Boolean(process.env.MILLRACE_CORPUS))

if (selection.files.length > 0) process.exitCode = await runTests(selection)
else {
  process.stderr.write('No test file was found for this: nothing ran.\n')
  process.exitCode = 1
}
if (selection.skippedCorpus > 0)
  process.stdout.write(`skipped: ${selection.skippedCorpus} corpus test files, because MILLRACE_CORPUS is not set\n`)

async function runTests(selection: Selection): Promise<number> {
  const server = await startTestServer()
  // Every file is a process that loads much the same: compiled once, it starts in half the time.
  const compiled = temporaryDirectory()
  try {
    return await runNode(selection, { MILLRACE_TEST_DATABASE_URL: server.url, NODE_COMPILE_CACHE: compiled.path })
  } finally {
    await server.stop()
    await compiled.remove()
  }
}

/** Resolves with the exit code once all of it has ended; on Ctrl-C too, so that the server can be stopped after it. */
function runNode({ files, timeoutMs }: Selection, env: Readonly<Record<string, string>>): Promise<number> {
  // One more than there are cores: tests of processes and servers wait for much of their time.
  const options = [`--test-concurrency=${availableParallelism() + 1}`, `--test-timeout=${timeoutMs}`]
  const child = spawn(process.execPath, ['--test', '--test-reporter=spec', ...options, ...files], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: 'inherit',
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
