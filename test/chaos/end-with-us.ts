import type { ChildProcess } from 'node:child_process'

const living = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL')
})

/** Kills the child when this process ends: one that is stopped would not notice. */
export function endWithUs(child: ChildProcess): void {
  living.add(child)
  child.once('exit', () => living.delete(child))
}
