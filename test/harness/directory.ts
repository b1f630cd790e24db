import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type TemporaryDirectory = { path: string; remove(): Promise<void> }

/** Ends the PostgreSQL servers of the directory and removes it, once its input ends. */
const guardScript = `
cat > /dev/null
for file in "$0"/*/postmaster.pid; do
  [ -f "$file" ] || continue
  pid=$(head -n 1 "$file")
  kill -QUIT "$pid"
  for attempt in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    kill -0 "$pid" || break
    sleep 0.1
  done
done
rm -rf "$0" || { chmod -R u+rwx "$0"; rm -rf "$0"; }`

/**
 * A new directory that the user PostgreSQL runs as can pass through. It goes when it is removed or when this process
 * ends, however it ends, and servers with their data directories right below it go first: its guard is a process of
 * its own, whose input ends with us.
 */
export function temporaryDirectory(): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  chmodSync(path, 0o711)
  const guard = spawn('sh', ['-c', guardScript, path], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  const isGone = new Promise<void>((resolve) => guard.once('exit', () => resolve()))
  guard.unref()
  return {
    path,
    remove() {
      guard.ref()
      guard.stdin.end()
      return isGone
    },
  }
}
