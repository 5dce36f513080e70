#!/usr/bin/env python3
"""The plot of bench/README.md: wall time and rows per CPU second of exports, ours and others', on logarithmic scales.

usage: plot.py RESULTS.json OUT.svg
"""
import json, sys
import matplotlib
matplotlib.use('svg')
matplotlib.rcParams.update({'svg.hashsalt': 'snapexport', 'font.size': 8, 'svg.fonttype': 'none'})
import matplotlib.pyplot as plt

OURS, COPY, OTHERS = '#1b7837', '#9e9e9e', '#b35806'


def color(name):
    return OURS if name.startswith('snapexport') else COPY if name.startswith('cp ') else OTHERS


def main():
    results = json.load(open(sys.argv[1]))
    panels = [s for s in results['sections'] if s['rows'] and s['id'].startswith(('export', 'live', 'decode')) and s.get('input')]
    if not panels:
        panels = [s for s in results['sections'] if s['rows']]
    heights = [len(s['rows']) + 2 for s in panels]
    fig, axes = plt.subplots(len(panels), 2, figsize=(11, 0.19 * sum(heights) + 0.6), height_ratios=heights, squeeze=False, layout='constrained')
    for (left, right), s in zip(axes, panels):
        rows = s['rows'][::-1]
        for ax, key, label in ((left, 'wall_s', 'wall time, s (less is better)'), (right, 'rows_per_cpu_s', 'rows per CPU second (more is better)')):
            values = [r[key][0] if key == 'wall_s' else r.get(key, 0) for r in rows]
            bars = ax.barh([r['name'] for r in rows], values, color=[color(r['name']) for r in rows], height=0.72)
            if key == 'wall_s':
                ax.errorbar(values, range(len(rows)), xerr=[[r[key][0] - r[key][1] for r in rows], [r[key][2] - r[key][0] for r in rows]], fmt='none', ecolor='black', elinewidth=0.7)
            ax.bar_label(bars, [f'{v:.3g}' if v < 1000 else f'{v / 1000:,.0f}k' for v in values], padding=4, fontsize=7)
            ax.set_xscale('log')
            low, high = min((v for v in values if v > 0), default=1), max(values, default=1) or 1
            ax.set_xlim(low / 2, high * 3)
            ax.set_xlabel(label, fontsize=7)
            ax.spines[['top', 'right']].set_visible(False)
        left.set_title(s['title'], loc='left', fontsize=9, fontweight='bold')
        right.set_yticklabels([])
    fig.savefig(sys.argv[2], metadata={'Date': None})


main()
