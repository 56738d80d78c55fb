# Draws docs/run.svg from a run's metrics:
#   cabs train --output run && gnuplot -c docs/run.gnuplot run/metrics.jsonl docs/run.svg
metrics = ARG1
set terminal svg size 860,360 font "sans-serif,13" background "white"
set output ARG2

# The values of two keys of each hundredth line.
values(a, b) = sprintf("<awk 'NR %% 100 == 1 { x = y = \"\"; if (match($0, /\"%s\": [^,}]*/)) x = substr($0, RSTART + %d, RLENGTH - %d); if (match($0, /\"%s\": [^,}]*/)) y = substr($0, RSTART + %d, RLENGTH - %d); print x, y }' %s", a, strlen(a) + 4, strlen(a) + 4, b, strlen(b) + 4, strlen(b) + 4, metrics)

set grid linecolor "#dddddd"
set border 3
set tics nomirror
set xlabel "epoch"
set multiplot layout 1,2
set logscale y
set ytics add ("0.02" 0.02, "0.05" 0.05, "0.2" 0.2, "0.5" 0.5)
set ylabel "training loss (running average)"
plot values("epoch", "loss_average") using 1:2 with lines linewidth 2 linecolor "#0060ad" notitle
unset logscale y
unset ytics
set ytics nomirror autofreq
set ylabel "batch size"
set yrange [0:*]
plot values("epoch", "batch_size") using 1:2 with lines linewidth 2 linecolor "#d95319" notitle
unset multiplot
