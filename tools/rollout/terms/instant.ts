import * as z from "zod";

/** Milliseconds since 1970 that a date can be made of. */
export const instantMsSchema = z.number().refine((ms) => !Number.isNaN(new Date(ms).getTime()));

/** A text that a date can be made of. */
export const instantTextSchema = z.string().refine((text) => !Number.isNaN(Date.parse(text)));
