import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { UsageError } from '#kernel/errors'

/** The text of a file that only its owner reads; undefined where there is none. */
export async function readSecret(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw unusable(path, error)
  }
}

export async function writeSecret(path: string, secret: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, `${secret}\n`, { mode: 0o600 })
    // The mode above is for new files only.
    await chmod(path, 0o600)
  } catch (error) {
    throw unusable(path, error)
  }
}

/** The secret in the file, made the first time. */
export async function keepSecret(path: string, make: () => string): Promise<string> {
  const kept = await readSecret(path)
  if (kept !== undefined && kept !== '') return kept
  const made = make()
  await writeSecret(path, made)
  return made
}

function unusable(path: string, cause: unknown): UsageError {
  return new UsageError(`${path} cannot be used: let this user read and write there, or set MILLRACE_DATA_DIR.`, {
    cause,
  })
}
