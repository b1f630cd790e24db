import { type Brand, brandId } from './ids.ts'
import { invariant } from './invariant.ts'

/** An active ISO 4217 code with minor units. Only `parseCurrency` makes one. */
export type Currency = Brand<'Currency'>

/**
 * ISO 4217, list one, by number of decimals: each word is the alphabetic and the numeric code.
 * Intl follows CLDR, which disagrees (HUF 0, IQD 0), so it is never asked. Codes without minor units
 * (metals, XDR, XSU, XUA, XTS, XXX) are left out: no amount can be counted in them.
 */
const codesByExponent: ReadonlyMap<number, string> = new Map([
  [
    0,
    'BIF108 CLP152 DJF262 GNF324 ISK352 JPY392 KMF174 KRW410 PYG600 RWF646 UGX800 UYI940 VND704 VUV548 XAF950 XOF952 XPF953',
  ],
  [
    2,
    `AED784 AFN971 ALL008 AMD051 AOA973 ARS032 AUD036 AWG533 AZN944 BAM977 BBD052 BDT050 BMD060 BND096 BOB068 BOV984
     BRL986 BSD044 BTN064 BWP072 BYN933 BZD084 CAD124 CDF976 CHE947 CHF756 CHW948 CNY156 COP170 COU970 CRC188 CUP192
     CVE132 CZK203 DKK208 DOP214 DZD012 EGP818 ERN232 ETB230 EUR978 FJD242 FKP238 GBP826 GEL981 GHS936 GIP292 GMD270
     GTQ320 GYD328 HKD344 HNL340 HTG332 HUF348 IDR360 ILS376 INR356 IRR364 JMD388 KES404 KGS417 KHR116 KPW408 KYD136
     KZT398 LAK418 LBP422 LKR144 LRD430 LSL426 MAD504 MDL498 MGA969 MKD807 MMK104 MNT496 MOP446 MRU929 MUR480 MVR462
     MWK454 MXN484 MXV979 MYR458 MZN943 NAD516 NGN566 NIO558 NOK578 NPR524 NZD554 PAB590 PEN604 PGK598 PHP608 PKR586
     PLN985 QAR634 RON946 RSD941 RUB643 SAR682 SBD090 SCR690 SDG938 SEK752 SGD702 SHP654 SLE925 SOS706 SRD968 SSP728
     STN930 SVC222 SYP760 SZL748 THB764 TJS972 TMT934 TOP776 TRY949 TTD780 TWD901 TZS834 UAH980 USD840 USN997 UYU858
     UZS860 VED926 VES928 WST882 XAD396 XCD951 XCG532 YER886 ZAR710 ZMW967 ZWG924`,
  ],
  [3, 'BHD048 IQD368 JOD400 KWD414 LYD434 OMR512 TND788'],
  [4, 'CLF990 UYW927'],
])

type Entry = { readonly currency: Currency; readonly numeric: string; readonly exponent: number }

const entries: ReadonlyMap<string, Entry> = new Map(
  [...codesByExponent].flatMap(([exponent, codes]) => codes.split(/\s+/).map((word) => toEntry(word, exponent))),
)

export const currencies: readonly Currency[] = [...entries.values()].map((entry) => entry.currency)

/** The currency of an upper-case alphabetic code; undefined for anything that is not an active one. */
export function parseCurrency(text: string): Currency | undefined {
  return entries.get(text)?.currency
}

/** How many decimals one unit has: 2 for EUR, 0 for JPY, 3 for KWD. */
export function exponentOf(currency: Currency): number {
  return entryOf(currency).exponent
}

/** The three digits used on card networks and in bank files: 978 for EUR. */
export function numericOf(currency: Currency): string {
  return entryOf(currency).numeric
}

function entryOf(currency: Currency): Entry {
  const entry = entries.get(currency)
  invariant(entry, `${currency} is not in the currency table`)
  return entry
}

function toEntry(word: string, exponent: number): [string, Entry] {
  const code = word.slice(0, 3)
  return [code, { currency: brandId<Currency>(code), numeric: word.slice(3), exponent }]
}
