# Sourced by cases that train: points.csv (three separable classes of points) and mlp.net.
awk 'BEGIN {
  srand(3); print "x,y,kind"
  for (i = 0; i < 300; i++) {
    k = i % 3; a = 2.1 * k + 1.2 * rand(); r = 1 + rand()
    printf "%.4f,%.4f,%s\n", r * cos(a), r * sin(a), (k == 0 ? "red" : k == 1 ? "green" : "blue")
  }
}' > points.csv
printf 'dense 16 tanh\ndense 3\n' > mlp.net
