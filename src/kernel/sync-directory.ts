import { open } from 'node:fs/promises'

/** Makes names that were made or removed in a directory durable, as fsync(2) of a file alone does not. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
