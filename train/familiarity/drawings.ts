/**
 * Drawings: pen strokes, shapes and lines of text-like marks, on a canvas of any size.
 *
 * @module
 */
import type { Random } from "../../shared/random.ts";
import { box, Canvas, type Polygon } from "../../shared/silhouettes/canvas.ts";

/** Polygons with the tone of each, 0..1, in coordinates of {@linkcode SIDE}; later ones cover earlier ones. */
export interface Drawing {
  polygons: { polygon: Polygon; tone: number }[];
  /** The part of the side that the drawing fills, centred; absent if it stays where it is. */
  fit?: number;
}

/** The side of the area in which drawings are described. */
const SIDE = 112;

/**
 * Draws on a canvas.
 *
 * @param size pixels along a side
 * @returns how much of a pixel is covered, 0..1
 */
export function ink(size: number, draw: (drawing: Drawing) => void): (x: number, y: number) => number {
  const drawing: Drawing = { polygons: [] };
  draw(drawing);
  let scale = size / SIDE, e = 0, f = 0;
  if (drawing.fit !== undefined) {
    const { left, top, width, height } = bounds(drawing);
    scale = size * drawing.fit / Math.max(width, height);
    e = (size - scale * width) / 2 - scale * left;
    f = (size - scale * height) / 2 - scale * top;
  }
  const shade = new Float64Array(size * size).fill(1);
  const canvas = new Canvas(size, { a: scale, b: 0, c: 0, d: scale, e, f }, shade);
  for (const { polygon, tone } of drawing.polygons) canvas.paint(polygon, tone);
  return (x, y) => canvas.pixels[y * size + x]!;
}

function bounds({ polygons }: Drawing): { left: number; top: number; width: number; height: number } {
  let left = Infinity, top = Infinity, right = -Infinity, bottom = -Infinity;
  for (const { polygon } of polygons) {
    for (let i = 0; i < polygon.length; i += 2) {
      left = Math.min(left, polygon[i]!);
      right = Math.max(right, polygon[i]!);
      top = Math.min(top, polygon[i + 1]!);
      bottom = Math.max(bottom, polygon[i + 1]!);
    }
  }
  return { left, top, width: right - left, height: bottom - top };
}

/** One to three curved strokes of a pen. */
export function paintStrokes(random: Random, drawing: Drawing): void {
  const width = random.uniform(7, 15);
  const count = pick(random, [1, 1, 2, 2, 3]);
  for (let i = 0; i < count; i++) {
    const points = Array.from(
      { length: 3 + random.below(3) },
      (): Point => [random.uniform(14, 98), random.uniform(14, 98)],
    );
    addStroke(drawing, curve(points), width);
  }
  drawing.fit = random.uniform(0.7, 0.95);
}

/** One to three lines of two to eight small marks. */
export function paintText(random: Random, drawing: Drawing): void {
  const lines = pick(random, [1, 1, 2, 3]), height = 20, width = random.uniform(1.5, 4);
  for (let line = 0; line < lines; line++) {
    let x = 0;
    const marks = 2 + random.below(7);
    for (let mark = 0; mark < marks; mark++) {
      const advance = random.uniform(7, 15), rise = random.chance(0.3) ? 8 : 0;
      const point = (): Point => [
        x + random.uniform(0, advance - 2),
        line * 1.5 * height + random.uniform(-rise, 14),
      ];
      const count = 1 + random.below(2);
      for (let stroke = 0; stroke < count; stroke++) {
        const points = Array.from({ length: 2 + random.below(3) }, point);
        addStroke(drawing, points.length > 2 && random.chance(0.6) ? curve(points) : points, width);
      }
      x += advance + (random.chance(0.1) ? 8 : 0);
    }
  }
  drawing.fit = random.uniform(0.75, 1);
}

/** A disc, a ring, a triangle, a star, a few bars, or a car. */
export function paintShape(random: Random, drawing: Drawing): void {
  const tone = random.uniform(0.35, 1);
  const add = (polygon: Polygon, of = tone): void => void drawing.polygons.push({ polygon, tone: of });
  const left = random.uniform(4, 40), top = random.uniform(4, 40);
  const right = random.uniform(70, 108), bottom = random.uniform(70, 108);
  switch (random.below(6)) {
    case 0: {
      const radius = (right - left) / 2;
      return add(ellipse(left + radius, top + radius, radius, radius));
    }
    case 1: {
      const [rx, ry, line] = [(right - left) / 2, (bottom - top) / 2, random.uniform(4, 14)];
      add(ellipse(left + rx, top + ry, rx, ry));
      return add(ellipse(left + rx, top + ry, rx - line, ry - line), 0);
    }
    case 2:
      return add(Array.from({ length: 6 }, () => random.uniform(4, 108)));
    case 3: {
      const points = 4 + random.below(4), inner = random.uniform(0.35, 0.6), turn = random.uniform(0, 3);
      return add(
        Array.from({ length: 2 * points }, (_, i) => {
          const radius = 50 * (i % 2 ? inner : 1), angle = turn + Math.PI * i / points;
          return [56 + radius * Math.cos(angle), 56 + radius * Math.sin(angle)];
        }).flat(),
      );
    }
    case 4: {
      const bars = 1 + random.below(4);
      for (let i = 0; i < bars; i++) {
        const end = (): Point => [random.uniform(0, SIDE), random.uniform(0, SIDE)];
        addStroke(drawing, [end(), end()], random.uniform(4, 16), tone);
      }
      return;
    }
    default: {
      add(box(8, 56, 104, 84));
      add([28, 56, 40, 34, 74, 34, 88, 56], tone * random.uniform(0.5, 1));
      for (const x of [28, 84]) add(ellipse(x, 85, 11, 11), pick(random, [0.15, 0.5, 1]));
    }
  }
}

type Point = readonly [x: number, y: number];

function pick<T>(random: Random, values: readonly T[]): T {
  return values[random.below(values.length)]!;
}

function ellipse(x: number, y: number, rx: number, ry: number): number[] {
  return Array.from({ length: 24 }, (_, i) => {
    const angle = Math.PI * i / 12;
    return [x + rx * Math.cos(angle), y + ry * Math.sin(angle)];
  }).flat();
}

/** A smooth line through points: a Catmull–Rom spline. */
function curve(points: readonly Point[]): Point[] {
  const STEPS = 8;
  const beyond = ([ax, ay]: Point, [bx, by]: Point): Point => [2 * ax - bx, 2 * ay - by];
  const p = [beyond(points[0]!, points[1]!), ...points, beyond(points.at(-1)!, points.at(-2)!)];
  const line: Point[] = [points[0]!];
  for (let i = 1; i + 2 < p.length; i++) {
    for (let step = 1; step <= STEPS; step++) {
      const t = step / STEPS;
      const along = (axis: 0 | 1): number => {
        const [a, b, c, d] = [p[i - 1]![axis], p[i]![axis], p[i + 1]![axis], p[i + 2]![axis]];
        return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t +
          (3 * b - a - 3 * c + d) * t * t * t);
      };
      line.push([along(0), along(1)]);
    }
  }
  return line;
}

/** A line of some width with round ends. */
function addStroke({ polygons }: Drawing, points: readonly Point[], width: number, tone = 1): void {
  const sides = points.map(([x, y], i): [Point, Point] => {
    const [ax, ay] = points[Math.max(0, i - 1)]!, [bx, by] = points[Math.min(i + 1, points.length - 1)]!;
    const dx = bx - ax, dy = by - ay, length = Math.hypot(dx, dy) || 1;
    const nx = -dy / length * width / 2, ny = dx / length * width / 2;
    return [[x + nx, y + ny], [x - nx, y - ny]];
  });
  const outline = [...sides.map(([left]) => left), ...sides.map(([, right]) => right).reverse()];
  polygons.push({ polygon: outline.flat(), tone });
  for (const [x, y] of [points[0]!, points.at(-1)!]) {
    polygons.push({ polygon: ellipse(x, y, width / 2, width / 2), tone });
  }
}
