import { resolve } from 'node:path'
import { openExport } from '#backup'
import { UsageError } from '#kernel/errors'
import { systemRandom } from '#kernel/random'
import { verifyExport } from '#ledger'
import { createArchive, readSegment } from '#log/archive'
import type { Call } from './command.ts'

/** `millrace verify --export DIR`: with nothing but files, no database and no key. Returns the exit code. */
export async function verifyExported(call: Call, directory: string): Promise<number> {
  const archive = call.text('archive')
  const segments = archive === undefined ? undefined : createArchive(resolve(call.cwd, archive), systemRandom)
  const exported = await openExport(resolve(call.cwd, directory))
  const verdict = await verifyExport(exported, {
    random: systemRandom,
    noted: call.texts('head').map(hashIn),
    ...(segments ? { readSegment: (segment) => readSegment(segments, segment) } : {}),
  })
  const { entries, postings, blocks, heads, isWhole, findings } = verdict
  if (!isWhole)
    call.warn('warning: some entries are in the archive alone: name it with --archive DIR to check them too')
  return tellVerdict(call, { findings, heads, checked: `${entries} entries, ${postings} postings, ${blocks} blocks` })
}

type Verdict = {
  readonly findings: readonly string[]
  readonly checked: string
  readonly heads: readonly { readonly partition: number; readonly number: number; readonly hash: string }[]
}

/** Returns the exit code. */
export function tellVerdict(call: Call, { findings, checked, heads }: Verdict): number {
  for (const finding of findings) call.print(`wrong: ${finding}`)
  call.print(findings.length > 0 ? `${findings.length} findings in ${checked}.` : `All is well: ${checked}.`)
  for (const { partition, number, hash } of call.isSet('heads') ? heads : []) {
    call.print(`head of ledger/${partition}, block ${number}: ${hash}`)
  }
  return findings.length > 0 ? 1 : 0
}

/** @throws UsageError, one line, for anything else than the hash of a block. */
export function hashIn(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text
  throw new UsageError('--head must be the hash of a block: 64 digits of hex, as `millrace verify --heads` prints it.')
}
