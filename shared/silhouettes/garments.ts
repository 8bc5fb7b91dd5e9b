/**
 * How each of the ten garments is cut: a few polygons with random measures, in ranges in which a person would still
 * recognize the garment.
 *
 * @module
 */
import { band, box, flipped, mirrored, type Polygon, rounded } from "./canvas.ts";
import type { Random } from "../random.ts";

/** What a garment is drawn with: coordinates run from -1 to 1 in both directions, `y` downwards. */
export interface Drawing {
  /** Varies the shape and the pattern. */
  random: Random;
  /** Paints over the existing content; the tone is relative to the cloth's. */
  paint(polygon: Polygon, tone: number): void;
}

/** A detail's tone: well lighter or well darker than the cloth. */
function contrast(random: Random): number {
  return random.chance(0.6) ? random.uniform(0.2, 0.5) : random.uniform(1.35, 1.7);
}

interface Cut {
  shoulder: number;
  waist: number;
  hem: number;
  /** How far down the garment reaches. */
  length: number;
  sleeve: number;
  /** 0 hangs straight down, 0.5 reaches out halfway. */
  spread: number;
  cuff: number;
}

/** What everything worn above the waist has: sleeves, a body and a neck. */
function drawTop({ random, paint }: Drawing, cut: Cut): void {
  const { shoulder, waist, hem, length, sleeve, spread, cuff } = cut;
  const top = -0.88 + random.uniform(-0.04, 0.04);
  const armpit = top + random.uniform(0.5, 0.6);
  if (sleeve > 0) {
    const sleeveTone = random.uniform(0.75, 1.15);
    const [dx, dy] = [2 * spread / (1 + spread * spread), (1 - spread * spread) / (1 + spread * spread)];
    const [endX, endY] = [shoulder - 0.12 + dx * sleeve, top + 0.3 + dy * sleeve];
    const arm = [
      shoulder - 0.2,
      top + 0.04,
      shoulder,
      top + 0.12,
      endX + dy * cuff,
      endY - dx * cuff,
      endX - dy * cuff,
      endY + dx * cuff,
      waist - 0.06,
      armpit,
    ];
    paint(arm, sleeveTone);
    paint(flipped(arm), sleeveTone);
  }
  const neck = random.uniform(0.17, 0.26);
  paint(
    mirrored([neck, top - 0.04, shoulder - 0.04, top + 0.1, waist, armpit, waist, 0.1, hem, length]),
    1,
  );
}

/** A neckline: round or pointed, down to the background or to the inside of the back. */
function cutNeck({ random, paint }: Drawing, depth: number): void {
  const inside = random.chance(0.5) ? 0 : random.uniform(0.2, 0.5);
  const width = random.uniform(0.18, 0.28);
  const neck = random.chance(0.5)
    ? rounded([-width, -1, -width * 0.8, -0.85 + depth, width * 0.8, -0.85 + depth, width, -1])
    : [-width, -1, 0, -0.8 + depth, width, -1];
  paint(neck, inside);
}

function drawTShirt(drawing: Drawing): void {
  const { random, paint } = drawing;
  const waist = random.uniform(0.45, 0.6);
  drawTop(drawing, {
    shoulder: waist + random.uniform(0.02, 0.12),
    waist,
    hem: waist + random.uniform(-0.05, 0.08),
    length: random.uniform(0.75, 0.98),
    sleeve: random.uniform(0.3, 0.6),
    spread: random.uniform(0.25, 0.6),
    cuff: random.uniform(0.17, 0.25),
  });
  cutNeck(drawing, random.uniform(0.05, 0.25));
  if (random.chance(0.35)) {
    const [x, y, half] = [random.uniform(-0.1, 0.1), random.uniform(-0.3, 0.1), random.uniform(0.12, 0.3)];
    paint(rounded(box(x - half, y - half, x + half, y + half)), contrast(random));
  }
}

function drawTrouser({ random, paint }: Drawing): void {
  const waist = random.uniform(0.26, 0.4);
  const hip = waist + random.uniform(0.02, 0.12);
  const knee = random.uniform(0.3, 0.48);
  const ankle = knee + random.uniform(-0.08, 0.14);
  const width = random.uniform(0.2, 0.32);
  const crotch = random.uniform(-0.55, -0.25);
  const length = random.uniform(0.8, 1);
  const leg = [
    -0.01,
    crotch - 0.3,
    hip,
    crotch - 0.2,
    knee,
    0.2,
    ankle,
    length,
    ankle - width,
    length,
    Math.max(knee - width - 0.04, 0.05),
    0.2,
    0.02,
    crotch,
  ];
  const far = random.uniform(0.8, 1);
  paint(leg, 1);
  paint(flipped(leg), far);
  paint(mirrored([waist, -0.98, hip, crotch - 0.15, 0.02, crotch + 0.05]), 1);
  if (random.chance(0.7)) paint(box(-waist, -0.98, waist, -0.9), contrast(random));
  if (random.chance(0.4)) paint(band(0, -0.9, 0, crotch, 0.05), random.uniform(0.4, 0.7));
}

function drawPullover(drawing: Drawing): void {
  const { random, paint } = drawing;
  const waist = random.uniform(0.46, 0.6);
  const hem = waist + random.uniform(-0.08, 0.04);
  const length = random.uniform(0.62, 0.88);
  drawTop(drawing, {
    shoulder: waist + random.uniform(0, 0.1),
    waist,
    hem,
    length,
    sleeve: random.uniform(0.95, 1.3),
    spread: random.uniform(0.1, 0.3),
    cuff: random.uniform(0.1, 0.15),
  });
  const ribbing = contrast(random);
  if (random.chance(0.6)) paint(box(-hem, length - 0.12, hem, length), ribbing);
  if (random.chance(0.25)) {
    paint(box(-0.2, -1.02, 0.2, -0.75), random.uniform(0.7, 1.2));
  } else {
    cutNeck(drawing, random.uniform(0, 0.08));
    if (random.chance(0.5)) {
      paint(rounded([-0.3, -0.92, -0.2, -0.7, 0.2, -0.7, 0.3, -0.92, 0.15, -0.8, -0.15, -0.8]), ribbing);
    }
  }
  if (random.chance(0.3)) {
    const y = random.uniform(-0.3, 0.3);
    paint(box(-waist, y, waist, y + random.uniform(0.15, 0.4)), contrast(random));
  }
}

function drawDress(drawing: Drawing): void {
  const { random, paint } = drawing;
  const waist = random.uniform(0.2, 0.32);
  const waistline = random.uniform(-0.3, 0.05);
  const chest = waist + random.uniform(0.02, 0.14);
  const hem = random.uniform(0.32, 0.75);
  const length = random.uniform(0.8, 1);
  const strap = random.uniform(0.12, 0.24);
  if (random.chance(0.4)) {
    const reach = random.uniform(0.2, 0.85);
    const out = chest + random.uniform(0.08, 0.2);
    const sleeve = [
      strap,
      -0.96,
      chest,
      -0.88,
      out + 0.06,
      -0.85 + reach,
      out - 0.12,
      -0.8 + reach,
      chest - 0.08,
      -0.5,
    ];
    const tone = random.uniform(0.75, 1.1);
    paint(sleeve, tone);
    paint(flipped(sleeve), tone);
  }
  paint(mirrored([strap, -0.97, strap + 0.1, -0.97, chest, -0.5, waist, waistline]), 1);
  paint(
    mirrored([
      waist,
      waistline - 0.02,
      (waist + hem) / 2 + random.uniform(-0.03, 0.12),
      (waistline + length) / 2,
      hem,
      length,
    ]),
    random.chance(0.5) ? 1 : random.uniform(0.7, 1.2),
  );
  cutNeck(drawing, random.uniform(0.1, 0.35));
  if (random.chance(0.35)) paint(box(-waist, waistline - 0.05, waist, waistline + 0.05), contrast(random));
}

function drawCoat(drawing: Drawing): void {
  const { random, paint } = drawing;
  const waist = random.uniform(0.34, 0.46);
  const hem = waist + random.uniform(0.02, 0.14);
  const length = random.uniform(0.92, 1);
  drawTop(drawing, {
    shoulder: waist + random.uniform(0, 0.1),
    waist,
    hem,
    length,
    sleeve: random.uniform(1, 1.35),
    spread: random.uniform(0.06, 0.22),
    cuff: random.uniform(0.11, 0.17),
  });
  const lapel = random.uniform(0.15, 0.5);
  const opening = random.uniform(0.1, 0.3);
  cutNeck(drawing, 0.05);
  const collar = random.uniform(0.65, 1.35);
  const flap = [0.12, -1, 0.3, -0.9, 0.26, -0.5, 0, lapel - 0.5, 0.03, -0.65];
  paint(flap, collar);
  paint(flipped(flap), collar);
  paint([-0.03, lapel - 0.5, 0.03, lapel - 0.5, random.uniform(0.04, 0.12), length, -0.04, length], opening);
  if (random.chance(0.5)) {
    const tone = contrast(random);
    for (let y = lapel - 0.35; y < 0.6; y += 0.35) paint(box(0.1, y, 0.2, y + 0.1), tone);
  }
  if (random.chance(0.3)) paint(box(-waist - 0.02, 0.05, waist + 0.02, 0.2), contrast(random));
}

function drawSandal({ random, paint }: Drawing): void {
  const facing = random.chance(0.5) ? (polygon: Polygon) => polygon : flipped;
  const heel = random.chance(0.5) ? random.uniform(0.25, 0.65) : random.uniform(0.03, 0.15);
  const wedge = random.chance(0.5);
  const thickness = random.uniform(0.13, 0.22);
  const floor = random.uniform(0.5, 0.75);
  const [back, arch] = [floor - heel - thickness, floor - thickness - heel * 0.45];
  const sole = random.uniform(0.8, 1.4);
  const strap = random.uniform(0.7, 1.2);
  const width = random.uniform(0.13, 0.2);
  const straps = 1 + random.below(3);
  for (let i = 0; i < straps; i++) {
    const x = 0.75 - i * random.uniform(0.3, 0.36);
    const y = i === 0 ? floor - thickness : floor - thickness - heel * i * 0.2;
    const rise = random.uniform(0.26, 0.42) + i * 0.1;
    paint(facing(band(x, y, x - 0.18, y - rise, width)), strap);
    paint(facing(band(x - 0.18, y - rise, x - 0.42, y, width)), strap * random.uniform(0.6, 1));
  }
  const ankle = back - random.uniform(0.35, 0.6);
  if (random.chance(0.75)) {
    paint(facing(band(-0.85, back, -0.8, ankle, width)), strap);
    paint(
      facing(band(-0.85, ankle, random.uniform(-0.35, -0.2), ankle + random.uniform(-0.05, 0.15), width)),
      strap,
    );
    if (random.chance(0.5)) paint(facing(band(-0.3, ankle + 0.05, -0.05, arch, width * 0.8)), strap);
  }
  paint(
    facing([
      -0.95,
      back,
      -0.4,
      back + 0.02,
      0.1,
      floor - thickness,
      0.95,
      floor - thickness,
      0.98,
      floor,
      0.05,
      floor,
      -0.4,
      back + thickness,
      -0.95,
      back + thickness,
    ]),
    sole,
  );
  const [under, foot] = wedge ? [0.1, 0.1] : [-0.68, -0.76];
  paint(
    facing([
      -0.95,
      back + thickness * 0.5,
      under,
      wedge ? floor - 0.02 : back + thickness * 0.5,
      foot,
      floor,
      -0.9,
      floor,
    ]),
    sole,
  );
}

function drawShirt(drawing: Drawing): void {
  const { random, paint } = drawing;
  const waist = random.uniform(0.42, 0.56);
  const long = random.chance(0.65);
  const length = random.uniform(0.8, 1);
  drawTop(drawing, {
    shoulder: waist + random.uniform(0.02, 0.1),
    waist,
    hem: waist + random.uniform(-0.04, 0.1),
    length,
    sleeve: long ? random.uniform(0.95, 1.3) : random.uniform(0.3, 0.55),
    spread: long ? random.uniform(0.1, 0.3) : random.uniform(0.25, 0.5),
    cuff: long ? random.uniform(0.09, 0.14) : random.uniform(0.16, 0.22),
  });
  cutNeck(drawing, 0.02);
  const collar = contrast(random);
  const wing = [0.06, -1, 0.3, -0.92, 0.3, -0.68, 0.02, -0.74];
  paint(wing, collar);
  paint(flipped(wing), collar);
  const half = random.uniform(0.05, 0.09);
  const placket = contrast(random);
  const end = random.chance(0.8) ? length : random.uniform(-0.2, 0.1);
  paint(box(-half, -0.74, half, end), random.uniform(0.85, 1.15));
  paint(band(half, -0.74, half, end, 0.08), placket);
  for (let y = -0.55; y < end - 0.1; y += 0.3) paint(box(-0.05, y, 0.05, y + 0.1), placket);
  if (random.chance(0.4)) paint(box(0.18, -0.35, 0.38, -0.1), contrast(random));
}

function drawSneaker({ random, paint }: Drawing): void {
  const facing = random.chance(0.5) ? (polygon: Polygon) => polygon : flipped;
  const floor = random.uniform(0.4, 0.6);
  const thickness = random.uniform(0.1, 0.2);
  const ground = floor - thickness;
  const collar = ground - random.uniform(0.55, 0.75);
  const toe = ground - random.uniform(0.18, 0.3);
  const tongue = random.uniform(-0.2, 0);
  paint(
    facing([
      -0.93,
      ground,
      -0.97,
      collar + 0.2,
      -0.9,
      collar,
      -0.55,
      collar + random.uniform(0.04, 0.16),
      tongue,
      collar - random.uniform(0, 0.15),
      0.4,
      toe - 0.05,
      0.8,
      toe + 0.04,
      0.96,
      ground,
    ]),
    1,
  );
  if (random.chance(0.6)) {
    const tone = contrast(random);
    const [x, lean] = [random.uniform(-0.35, -0.1), random.uniform(-0.3, 0.3)];
    const stripes = 1 + random.below(3);
    for (let i = 0; i < stripes; i++) {
      paint(facing(band(x + i * 0.2, ground, x + lean + i * 0.2, collar + 0.3, 0.1)), tone);
    }
  }
  if (random.chance(0.7)) {
    const tone = contrast(random);
    for (let i = 0; i < 3; i++) {
      const [x, y] = [tongue + 0.05 + i * 0.15, collar + 0.06 + i * (toe - collar) * 0.28];
      paint(facing(band(x, y, x - 0.1, y + 0.18, 0.07)), tone);
    }
  }
  if (random.chance(0.4)) {
    paint(facing(rounded([0.5, toe - 0.05, 0.98, toe, 0.98, ground, 0.55, ground])), contrast(random));
  }
  paint(
    facing(box(-0.96, ground, 0.98, floor)),
    random.chance(0.7) ? random.uniform(1.2, 1.6) : random.uniform(0.4, 0.7),
  );
}

function drawBag({ random, paint }: Drawing): void {
  const [width, bottom] = [random.uniform(0.6, 0.95), random.uniform(0.6, 0.9)];
  const top = random.uniform(-0.4, -0.05);
  const taper = random.uniform(0.75, 1.1);
  const [reach, grip] = [random.uniform(0.35, 0.7) * width, random.uniform(0.07, 0.14)];
  const peak = random.chance(0.8) ? random.uniform(-1, -0.75) : top - 0.15;
  const handle = random.uniform(0.6, 1.1);
  const arch = (inset: number) =>
    rounded([
      -reach + inset,
      top + 0.2,
      -reach * 0.85 + inset,
      peak + inset,
      reach * 0.85 - inset,
      peak + inset,
      reach - inset,
      top + 0.2,
    ]);
  paint(arch(0), handle);
  paint(arch(grip), 0);
  const body = mirrored([width * taper, top, width, (top + bottom) / 2, width, bottom]);
  paint(random.chance(0.5) ? rounded(body) : body, 1);
  if (random.chance(0.6)) {
    const flap = top + (bottom - top) * random.uniform(0.25, 0.6);
    paint(
      mirrored([width * taper * 0.96, top, width * 0.9, flap - 0.08, 0, flap]),
      random.uniform(0.65, 1.3),
    );
    if (random.chance(0.6)) paint(box(-0.09, flap - 0.1, 0.09, flap + 0.08), contrast(random));
  } else if (random.chance(0.5)) {
    paint(box(-width * 0.5, bottom - 0.5, width * 0.5, bottom - 0.15), contrast(random));
  }
}

function drawAnkleBoot({ random, paint }: Drawing): void {
  const facing = random.chance(0.5) ? (polygon: Polygon) => polygon : flipped;
  const floor = random.uniform(0.75, 0.95);
  const heel = random.uniform(0.06, 0.4);
  const shaft = random.uniform(-0.95, -0.45);
  const [throat, toe] = [random.uniform(-0.15, 0.1), floor - random.uniform(0.2, 0.32)];
  const instep = random.uniform(0.0, 0.2);
  paint(
    facing([
      -0.85,
      floor - heel,
      -0.8,
      instep - 0.1,
      -0.9,
      shaft,
      throat,
      shaft + random.uniform(-0.08, 0.12),
      throat + random.uniform(-0.08, 0.02),
      instep,
      0.45,
      toe - random.uniform(0.05, 0.15),
      0.85,
      toe + 0.05,
      0.96,
      floor - 0.06,
      0.1,
      floor - 0.06,
      -0.35,
      floor - heel,
    ]),
    1,
  );
  const sole = contrast(random);
  paint(facing([-0.86, floor - heel, -0.35, floor - heel, -0.42, floor, -0.84, floor]), sole);
  paint(
    facing([
      -0.4,
      floor - heel - 0.03,
      0.1,
      floor - 0.1,
      0.97,
      floor - 0.1,
      0.97,
      floor,
      0.1,
      floor,
      -0.4,
      floor - heel + 0.07,
    ]),
    sole,
  );
  if (random.chance(0.4)) {
    const tone = contrast(random);
    for (let i = 0; i < 4; i++) {
      const y = shaft + 0.15 + i * (instep - shaft) * 0.25;
      paint(facing(band(throat - 0.22, y + 0.05, throat - 0.02, y, 0.07)), tone);
    }
  } else if (random.chance(0.5)) {
    paint(facing([-0.55, shaft, -0.3, shaft, -0.3, instep, -0.55, instep]), random.uniform(0.4, 0.7));
  }
  if (random.chance(0.3)) paint(facing(box(-0.9, shaft - 0.04, throat, shaft + 0.12)), contrast(random));
}

/** One drawing function per class, in the order of Fashion-MNIST. */
export const GARMENTS: readonly ((drawing: Drawing) => void)[] = [
  drawTShirt,
  drawTrouser,
  drawPullover,
  drawDress,
  drawCoat,
  drawSandal,
  drawShirt,
  drawSneaker,
  drawBag,
  drawAnkleBoot,
];
