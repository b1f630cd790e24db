import { walIn } from './store.ts'
import { segmentName } from './wal.ts'
import { keptSegments, readSegment } from './wal-files.ts'

export type WalFindings = { readonly segments: number; readonly findings: readonly string[] }

/** Reads all the WAL that is kept of a database system: what is damaged, and what is missing in between. */
export async function checkWal(
  directory: string,
  about: { system: string; segmentBytes: number },
): Promise<WalFindings> {
  const segmentBytes = BigInt(about.segmentBytes)
  const kept = await keptSegments(walIn(directory, about.system), segmentBytes)
  const findings: string[] = []
  for (const [place, segment] of kept.entries()) {
    const before = kept[place - 1]
    if (before?.timeline === segment.timeline && before.number + 1n !== segment.number) {
      const missing = segmentName({ ...before, number: before.number + 1n }, segmentBytes)
      findings.push(`the WAL segment ${missing} is missing: nothing behind it can be restored but from a later backup`)
    }
    if (!(await isWhole(segment, segmentBytes))) findings.push(`${segment.path} is damaged`)
  }
  return { segments: kept.length, findings }
}

async function isWhole(segment: Parameters<typeof readSegment>[0], segmentBytes: bigint): Promise<boolean> {
  let bytes = 0n
  try {
    for await (const piece of readSegment(segment)) bytes += BigInt(piece.length)
  } catch {
    return false
  }
  return segment.isWhole ? bytes === segmentBytes : bytes <= segmentBytes
}
