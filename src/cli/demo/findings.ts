/** A figure of the platform's beside the same figure counted elsewhere. */
export type Finding = {
  readonly what: string
  readonly ours: string
  readonly outside: string
  readonly isRight: boolean
}

export type Section = {
  readonly title: string
  readonly findings: readonly Finding[]
  readonly notes?: readonly string[]
}

export function compare(what: string, ours: bigint | number, outside: bigint | number): Finding {
  return { what, ours: String(ours), outside: String(outside), isRight: BigInt(ours) === BigInt(outside) }
}

/** Something that must be so, with what was found where it is not. */
export function expect(what: string, isRight: boolean, found: string, wanted: string): Finding {
  return { what, ours: found, outside: wanted, isRight }
}

export function isRight(sections: readonly Section[]): boolean {
  return sections.every(({ findings }) => findings.every((finding) => finding.isRight))
}

const WIDTHS = { what: 46, ours: 14, outside: 14 } as const

export function linesOf(sections: readonly Section[]): string[] {
  return sections.flatMap(({ title, findings, notes = [] }) => [
    '',
    `${title.padEnd(WIDTHS.what + 2)}${'platform'.padStart(WIDTHS.ours)}  ${'outside'.padStart(WIDTHS.outside)}`,
    ...findings.map(({ what, ours, outside, isRight: right }) => {
      const figures = `${ours.padStart(WIDTHS.ours)}  ${outside.padStart(WIDTHS.outside)}`
      return `  ${what.padEnd(WIDTHS.what)}${figures}  ${right ? 'ok' : 'WRONG'}`
    }),
    ...notes.map((note) => `  ${note}`),
  ])
}
