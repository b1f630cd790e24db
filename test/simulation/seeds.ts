import { randomBytes } from 'node:crypto'

/** Seeds that nobody has run before. */
export function freshSeeds(count: number): string[] {
  const base = randomBytes(4).toString('hex')
  return Array.from({ length: count }, (_, n) => `${base}-${n}`)
}
