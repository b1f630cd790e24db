import { readFileSync } from 'node:fs'

// Linux: what /proc says of processes.

/** A signal to a server and all it has made. The parent comes first: it starts again what it sees die. */
export function signalTree(pid: number, signal: NodeJS.Signals): void {
  const children = childrenOf(pid)
  send(pid, signal)
  for (const child of new Set([...children, ...childrenOf(pid)])) send(child, signal)
}

/** Whether it has ended, buried or not. */
export function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return true
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean).map(Number)
  } catch {
    // Without that file those of PostgreSQL end by themselves when they miss their postmaster.
    return []
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended already.
  }
}
