# Counts the reads of every FASTQ file of the case: four lines are one read.
printf 'file\treads\n' >counts.tsv.part
find . -name '*.fastq' | sort | while IFS= read -r file; do
    awk -v file="${file#./}" 'END { printf "%s\t%d\n", file, NR / 4 }' "$file" >>counts.tsv.part
done
echo "counted by attempt $DAYLILY_ATTEMPT in slot $DAYLILY_SLOT"
sleep 1
mv counts.tsv.part counts.tsv
