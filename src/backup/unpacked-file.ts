import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Hands a file to the user that PostgreSQL runs as. */
export type Give = (path: string) => void

export async function makeOwned(path: string, give: Give): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  give(path)
}

/** Closed to all others. Not synced: PostgreSQL syncs the whole directory before it recovers it. */
export async function writeOwned(
  path: string,
  content: AsyncIterable<Buffer> | Iterable<Buffer>,
  give: Give,
): Promise<void> {
  if (!existsSync(dirname(path))) await makeOwned(dirname(path), give)
  await writeFile(path, content, { mode: 0o600 })
  give(path)
}
